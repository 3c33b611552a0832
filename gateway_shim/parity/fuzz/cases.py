"""Cases of the fuzzer: steps of which everything is observed, with a form for replays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway_shim.parity.replay import steps_from_json, steps_to_json
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import (
    AwaitCallback,
    Drop,
    End,
    Fence,
    Gone,
    Open,
    Post,
    Raw,
    Request,
    Send,
    SendCompressed,
    Step,
)

__all__ = ["Case"]

# A case waits for the callbacks that must come. This is the time for unwanted ones; it is short,
# because many cases are played each second.
_SETTLE_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class Case:
    """Steps of which everything is observed."""

    steps: tuple[Step, ...]

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Read a case from the text that :meth:`to_json` returns.

        Raises:
            ValueError: the text is not a case that can be played.
        """
        case = cls(steps_from_json(text))
        if not case.is_playable():
            raise ValueError(
                "a step needs a stream that is not open, or awaits an end that cannot come"
            )
        return case

    def to_json(self) -> str:
        """Return the case as one line of text, for a replay."""
        return steps_to_json(self.steps)

    def is_playable(self) -> bool:
        """Return whether each step finds its stream in the state that it needs.

        A stream must have been opened; must not have been left by its client if it is read; and
        must have ended if its disconnect callback is awaited.
        """
        there: set[str] = set()
        gone: set[str] = set()
        ended: set[str] = set()
        for step in self.steps:
            name = getattr(step, "stream", None)
            if name is None or isinstance(step, Raw):  # a Raw has its own connection
                continue
            if isinstance(step, Open):
                if name in there:
                    return False
                there.add(name)
            elif name not in there:
                return False
            if name in gone and isinstance(step, Fence | End | Drop):
                return False
            if isinstance(step, AwaitCallback) and name not in ended:
                return False
            if isinstance(step, Drop):
                gone.add(name)
            if isinstance(step, Drop) or _closes(step):
                ended.add(name)
        return True

    def scenario(self) -> Scenario:
        """Return the case as a scenario that observes everything."""
        steps: list[Step] = []
        observe: dict[str, Any] = {}
        for index, step in enumerate(self.steps):
            match step:
                case Open(stream):
                    if step.method == "HEAD":
                        observe[f"{index}.asked"] = f"$asked:{stream}"
                    elif step.reply.times > 1:
                        observe[f"{index}.connects"] = f"$connects:{stream}"
                    else:
                        observe[f"{index}.callbacks"] = f"$callbacks_of:{stream}"
                    observe[f"{index}.head"] = f"$head:{stream}"
                    steps.append(step)
                    if self._is_read(stream):  # otherwise the body depends on timing
                        observe[f"{index}.body"] = f"$body:{stream}"
                        observe[f"{index}.ended"] = f"$ended:{stream}"
                case Send(body, _, stream):
                    steps.append(Send(body, f"{index}", stream))
                    observe[f"{index}.answer"] = f"$answer:{index}"
                case Post(raw, content_type):
                    steps.append(Post(raw, content_type, f"{index}"))
                    observe[f"{index}.answer"] = f"$answer:{index}"
                case Request(method, target, headers, body):
                    steps.append(Request(method, target, headers, body, f"{index}"))
                    observe[f"{index}.answer"] = {
                        "status": f"$status:{index}",
                        "headers": {"content-type": f"$header:{index}:content-type"},
                        "body": f"$body:{index}",
                    }
                case SendCompressed(body, coding, packing, _, stream):
                    steps.append(SendCompressed(body, coding, packing, f"{index}", stream))
                    observe[f"{index}.answer"] = f"$answer:{index}"
                case Raw():
                    steps.append(dataclasses.replace(step, name=f"{index}"))
                    observe[f"{index}.answers"] = f"$value:{index}"
                    observe["callbacks"] = "$callbacks"
                case Fence(stream):
                    steps.append(Fence(stream, keep=f"{index}"))
                    observe[f"{index}.bytes"] = f"$value:bytes:{index}"
                case Gone(_, stream):
                    steps.append(Gone(f"{index}", stream))
                    observe[f"{index}.answer"] = f"$answer:{index}"
                case _:
                    steps.append(step)
        observe["during"] = "$during"
        return Scenario("fuzz", tuple(steps), observe, settle_seconds=_SETTLE_SECONDS)

    def _is_read(self, stream: str) -> bool:
        return any(isinstance(s, Fence | End) and s.stream == stream for s in self.steps)


def _closes(step: Step) -> bool:
    """Return whether a step may end its stream."""
    bodies: Sequence[Any] = ()
    if isinstance(step, Open):
        bodies = step.reply.sends
    elif isinstance(step, Send):
        bodies = (step.body,)
    return any(isinstance(body, dict) and body.get("close") is True for body in bodies)
