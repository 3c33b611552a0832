"""Generated cases: streams that are opened, sent to, closed and disconnected in any order."""

from __future__ import annotations

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.generation import (
    answers,
    codings,
    events,
    headers,
    requests,
    targets,
)
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.steps import (
    AwaitCallback,
    Drop,
    End,
    Fence,
    Gone,
    Open,
    Release,
    Send,
    Step,
)

__all__ = ["generate"]

_STATUSES = (200, 200, 200, 200, 201, 204, 400, 401, 403, 404, 418, 500, 503)


def generate(seed: int, count: int) -> list[Case]:
    """Return the first cases of a seed; a larger count begins with the same cases."""
    return [_case(Dice(f"{seed}/{number}")) for number in range(count)]


def _case(dice: Dice) -> Case:
    chance = dice.share()
    if chance < 0.08:
        return Case((requests.post(dice), requests.whole(dice)))
    if chance < 0.11:
        return Case((Open("h", targets.stream(dice), headers.few(dice), "HEAD"),))
    if chance < 0.17:
        return _client_leaves_early(dice)
    if chance < 0.27:
        return requests.odd(dice)
    if chance < 0.42:
        return _raw_answer(dice)
    return _stream_life(dice)


def _open(dice: Dice, name: str, reply: Reply, version: str = "1.1") -> Open:
    """Return a stream's request whose head fits into 16 KiB."""
    target = targets.stream(dice)
    if len(target) >= targets.LONG:
        return Open(name, target, (), "GET", version, reply)
    several = headers.many(dice) if dice.chance(0.02) else headers.few(dice)
    return Open(name, target, several, "GET", version, reply)


def _raw_answer(dice: Dice) -> Case:
    """Return a case whose backend answers byte for byte, or in a way that diverges on purpose."""
    reply = answers.diverging(dice) if dice.chance(0.05) else answers.raw(dice)
    opened = Open("s", "/", headers.few(dice), reply=reply)
    steps: tuple[Step, ...] = (opened, Fence("s"))
    if dice.chance(0.3):
        steps = (*steps, Send({"token": "$T", "event": {"data": "after"}}), Fence("s"))
    return Case(steps)


def _client_leaves_early(dice: Dice) -> Case:
    opened = Open("s", targets.stream(dice), reply=Reply(fate=Fate.HOLD), until="callback")
    sends = [Send(events.body(dice)) for _ in range(dice.below(3))]
    if dice.chance(0.5):
        return Case((opened, *sends, Drop("s"), Gone(), Release()))
    return Case((opened, *sends, Release(), Fence("s"), Drop("s"), AwaitCallback("s")))


def _stream_life(dice: Dice) -> Case:
    steps: list[Step] = []
    live: list[str] = []
    for number in range(1 + dice.below(3)):
        name = "abc"[number]
        status = dice.one(_STATUSES)
        sends = tuple(events.body(dice) for _ in range(dice.one((0, 0, 1, 2, 3))))
        closing = status < 300 and dice.chance(0.1)
        if closing:
            sends = (*sends, {"token": "$T", "close": True}, events.body(dice))
        version = "1.0" if dice.chance(0.1) else "1.1"
        steps.append(_open(dice, name, Reply(status, sends=sends), version))
        if status < 300:
            steps.append(Fence(name))
            if closing:
                steps.append(AwaitCallback(name))
            else:
                live.append(name)
        else:
            steps.append(End(name))
        for _ in range(dice.below(4)):
            if live:
                _add_steps(dice, steps, live)
    for name in live:
        steps += [Drop(name, reset=dice.chance(0.2)), AwaitCallback(name)]
    return Case(tuple(steps))


def _add_steps(dice: Dice, steps: list[Step], live: list[str]) -> None:
    name = dice.one(live)
    chance = dice.share()
    if chance < 0.12:
        live.remove(name)
        gone: Step = Drop(name, reset=dice.chance(0.2))
        steps += [gone, AwaitCallback(name), Send(events.body(dice), stream=name)]
    elif chance < 0.24:
        live.remove(name)
        steps += [Send(events.closing(dice), stream=name)]
        steps += [Fence(name), AwaitCallback(name), Send(events.body(dice), stream=name)]
    elif chance < 0.3:
        steps += [codings.send(dice, events.body(dice), name), Fence(name)]
    else:
        for _ in range(dice.one((1, 1, 2, 5))):
            steps.append(Send(events.body(dice), stream=name))
        steps.append(Fence(name))
