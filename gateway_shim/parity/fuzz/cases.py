"""A case: any steps, looked at from every side, and written so that they can be replayed."""

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

# The callbacks that must come are waited for; this is for others, many cases a second.
_SETTLE_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class Case:
    """Steps, and what is to be looked at: everything."""

    steps: tuple[Step, ...]

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is no case.
        """
        case = cls(steps_from_json(text))
        if not case.is_playable():
            raise ValueError("a step needs a stream that is not there, or awaits an end in vain")
        return case

    def to_json(self) -> str:
        """The case as one line, to be replayed."""
        return steps_to_json(self.steps)

    def is_playable(self) -> bool:
        """Whether each step has its stream: opened, not left if it is read, ended if awaited."""
        there: set[str] = set()
        gone: set[str] = set()
        ended: set[str] = set()
        for step in self.steps:
            name = getattr(step, "stream", None)
            if name is None or isinstance(step, Raw):  # which has a connection of its own
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
        """The case as a scenario that looks at everything."""
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
                    if self._is_read(stream):  # without, it is a matter of time what has come
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
    """Whether a step may be the end of its stream."""
    bodies: Sequence[Any] = ()
    if isinstance(step, Open):
        bodies = step.reply.sends
    elif isinstance(step, Send):
        bodies = (step.body,)
    return any(isinstance(body, dict) and body.get("close") is True for body in bodies)
