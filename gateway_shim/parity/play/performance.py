"""How each step of a scenario is done."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from gateway_shim.parity.play import conversation, process_life
from gateway_shim.parity.play.attempt import attempt
from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.crowd import leave_at_once
from gateway_shim.parity.play.observation import as_text
from gateway_shim.parity.play.probe import PATIENCE, request_bytes
from gateway_shim.parity.play.session import Callback
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.steps import (
    Attempt,
    AwaitCallback,
    AwaitCalls,
    Burst,
    Crowd,
    Drop,
    End,
    Exit,
    Fence,
    Gone,
    Heartbeats,
    Interrupt,
    ListensOn,
    OnDisconnect,
    Open,
    Overflow,
    Pause,
    Post,
    Raw,
    Release,
    Request,
    Rest,
    Send,
    SendCompressed,
    Step,
    Terminate,
)

if TYPE_CHECKING:
    from gateway_shim.parity.play.stage import Stage

__all__ = ["perform"]

_HEARTBEAT = b": heartbeat\n\n"
_TOLERANCE = 0.25  # of an interval
_TERMINATE_SECONDS = 20.0
_EXIT_SECONDS = 10.0
_CALLBACK_TIME_LIMIT = 5.0


def perform(stage: Stage, step: Step) -> None:
    """Do one step on a stage.

    Raises:
        OSError: the gateway does not answer.
        NotHttp: what it answers is no HTTP.
    """
    match step:
        case Open():
            _open(stage, step)
        case Send(body, name, stream):
            stage.answers[name] = stage.send(body, stream)
            stage.values[f"told:{name}"] = stage.session.told
        case SendCompressed(body, coding, packing, name, stream):
            token = stage.tokens.get(stream)
            stage.answers[name] = stage.client.send(body, token, coding=coding, packing=packing)
        case Post(raw, content_type, name):
            stage.answers[name] = stage.client.post(raw.encode("latin-1"), content_type)
        case Request(method, target, headers, body, name):
            stage.answers[name] = stage.client.exchange(method, target, headers, body.encode())
        case Raw():
            conversation.converse(stage, step)
        case Rest():
            conversation.read_rest(stage, step)
        case Interrupt():
            process_life.interrupt(stage, step)
        case ListensOn():
            process_life.listens_on(stage, step)
        case Fence(stream, forget, keep):
            _fence(stage, stream)
            if keep:
                stage.values[f"bytes:{keep}"] = as_text(stage.streams[stream].body)
            if forget or keep:
                stage.streams[stream].forget()
        case End(stream):
            stage.wait(stage.streams[stream].read_to_end)
            stage.values[f"told:{stream}"] = stage.session.told
        case Drop(stream, reset):
            connection = stage.streams[stream]
            connection.reset() if reset else connection.close()
        case AwaitCallback(stream):
            _await_disconnect(stage, stage.tokens.get(stream))
        case AwaitCalls(count):
            stage.wait(lambda seconds: stage.session.wait_for(lambda c: len(c) >= count, seconds))
        case Release():
            stage.session.release()
        case OnDisconnect(sends, status, reply):
            stage.session.on_disconnect = reply or Reply(status, sends=sends)
        case Gone(name, stream):
            stage.wait(lambda seconds: _until_gone(stage, name, stream, seconds))
        case Pause(seconds):
            time.sleep(seconds)
        case Burst(count, stream):
            _burst(stage, count, stream)
        case Heartbeats(count, stream):
            _heartbeats(stage, count, stream)
        case Overflow(size, count, stream):
            stage.values[f"ended:{stream}"] = _overflow(stage, size, count, stream)
        case Terminate():
            _terminate(stage)
        case Crowd(count):
            stage.values["held"] = leave_at_once(stage, count)
        case Attempt(environment, name):
            stage.values[f"exit:{name}"], stage.values[f"answers:{name}"] = attempt(
                stage, environment
            )
        case Exit(environment, name):
            _exit(stage, dict(environment), name)


def _open(stage: Stage, step: Open) -> None:
    stage.session.expect(step.reply)
    before = len(stage.session.tokens())
    connection = stage.client.connect(step.receive_buffer)
    stage.streams[step.stream] = connection
    headers = (HOST_HEADER, ("Accept", "text/event-stream"), *step.headers)
    started = time.monotonic()
    connection.write(request_bytes(step.method, step.target, headers, b"", step.version))
    if step.until == "head":
        slow = step.reply.fate is Fate.HANG or step.reply.raw is not None
        connection.read_head(PATIENCE + (_CALLBACK_TIME_LIMIT if slow else 0.0))
        stage.values[f"withheld:{step.stream}"] = stage.session.withheld
        stage.opened[step.stream] = time.monotonic()
        stage.values["seconds"] = time.monotonic() - started
    else:

        def asked(seen: list[Callback]) -> bool:
            return len([c for c in seen if c.action == "connect"]) > before

        stage.wait(lambda seconds: stage.session.wait_for(asked, seconds))
    tokens = stage.session.tokens()
    if len(tokens) > before:
        stage.tokens[step.stream] = tokens[before]


def _await_disconnect(stage: Stage, token: str | None) -> None:
    if token is None:
        return  # the backend was never asked, so it will not be told

    def told(seen: list[Callback]) -> bool:
        return any(c.action == "disconnect" and c.token == token for c in seen)

    stage.wait(lambda seconds: stage.session.wait_for(told, seconds))


def _fence(stage: Stage, stream: str) -> None:
    connection = stage.streams[stream]
    connection.read_head()
    stage.values["fences"] = number = stage.values.get("fences", 0) + 1
    text = f"parity fence {number}"
    mark = f"data: {text}\n\n".encode()
    sent = stage.send({"token": "$T", "event": {"data": text}}, stream)
    if sent.head is None or sent.head.status != 200:
        stage.wait(connection.read_to_end)
        return
    # A gateway may write the mark wrongly; then its text is still there to be found.
    stage.wait(lambda s: connection.read_until(lambda body: text.encode() in body, s))
    connection.read_until(lambda body: mark in body, 0.2)
    connection.take_out(mark)


def _until_gone(stage: Stage, name: str, stream: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = stage.answers[name] = stage.send({"token": "$T"}, stream)
        if answer.head is not None and answer.head.status != 200:
            return True
        time.sleep(0.005)
    return False


def _burst(stage: Stage, count: int, stream: str) -> None:
    for number in range(count):
        stage.send({"token": "$T", "event": {"data": f"{number}"}}, stream)
    _fence(stage, stream)
    wanted = "".join(f"data: {number}\n\n" for number in range(count)).encode()
    stage.values[f"in_order:{stream}"] = stage.streams[stream].body.endswith(wanted)


def _heartbeats(stage: Stage, count: int, stream: str) -> None:
    connection = stage.streams[stream]
    interval = float(stage.heartbeat_seconds)
    times = [stage.opened[stream]]
    for wanted in range(1, count + 1):

        def enough(body: bytes, wanted: int = wanted) -> bool:
            return body.count(_HEARTBEAT) >= wanted

        def come(seconds: float, enough: Any = enough) -> bool:
            return connection.read_until(enough, interval + seconds)

        if not stage.wait(come):
            break
        times.append(time.monotonic())
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    stage.values[f"first_after:{stream}"] = _in_intervals(gaps[:1], interval)
    stage.values[f"apart:{stream}"] = _in_intervals(gaps[1:], interval)


def _in_intervals(gaps: list[float], interval: float) -> str:
    """``1 interval`` if every gap is one, within the tolerance; else what they are."""
    if gaps and all(abs(gap - interval) <= _TOLERANCE * interval for gap in gaps):
        return "1 interval"
    return ", ".join(f"{gap:.2f} s" for gap in gaps) or "never"


def _overflow(stage: Stage, size: int, count: int, stream: str) -> bool:
    body = {"token": "$T", "event": {"data": "x" * size}}
    for _ in range(count):
        head = stage.send(body, stream).head
        if head is None or head.status != 200:
            return True
    return False


def _terminate(stage: Stage) -> None:
    if stage.gateway is None:
        return
    started = time.monotonic()
    stage.gateway.terminate()
    for connection in stage.streams.values():
        connection.read_to_end(_TERMINATE_SECONDS)
    stage.values["exit_code"] = stage.gateway.wait(_TERMINATE_SECONDS)
    # At once, or after the ten seconds that Node takes: a busy machine is neither.
    stage.values["seconds"] = 10 * round((time.monotonic() - started) / 10)
    stage.process_ended = True


def _exit(stage: Stage, environment: dict[str, str], name: str) -> None:
    if stage.gateway is None:
        return
    process = stage.gateway.sibling(environment)
    stage.processes.append(process)
    try:
        process.start()
        stage.values[f"exit:{name}"] = process.wait(_EXIT_SECONDS)
        stage.values[f"logged:{name}"] = process.last_output() != ""
    finally:
        stage.processes.remove(process)
        process.stop()
