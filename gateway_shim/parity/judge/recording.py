"""Recordings: what a gateway did, scenario by scenario, as a JSON file.

``node-2025-11.json`` and ``node-2026-05.json`` are given and are kept as they are; the files
``…-more.json`` beside them were recorded by this kit from the same two gateways, for the
scenarios that the given ones do not have. Seven of their entries, about interim answers and odd
statuses of the backend, ``send_compressed`` and two buffered sends were written from a log of the
same gateways' answers to other clients. So were the files ``…-callbacks.json``, about odd answers
to callbacks and odd CALLBACK_URLs; what that log does not have in them is what Node's own HTTP
client does.

An entry's ``callback_answer_raw`` is what its backend answered, in the order of the callbacks:
``bytes`` as latin-1 text, or as a list of texts and ``[text, n]``, n times the text; with what
else :class:`gateway_shim.parity.reply.Reply` says, where it is not at its default.

``…-requests.json``, about odd requests and a process's life, has three sources: that log, where
it has the case; the notes of what the two gateways did with the ones that it lacks; for their
siblings, what Node 20's HTTP server, with a gateway after the contract on top of it, answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from gateway_shim.parity.scenario import Scenario

__all__ = ["BUILT_IN", "BadRecording", "Recording", "dialect_of", "dump", "load"]

BUILT_IN = {"named": "node-2025-11", "envelope": "node-2026-05"}
"""The recordings that come with the kit, by the dialect that they speak."""

_PARTS = ("", "-more", "-callbacks", "-requests")


class BadRecording(Exception):
    """There is no such recording, or it is none."""


@dataclass(frozen=True)
class Recording:
    """What a gateway did.

    Args:
        name: what reports call it.
        entries: for each scenario's id what was seen.
    """

    name: str
    entries: Mapping[str, Any]

    @property
    def dialect(self) -> str:
        """The dialect its gateway speaks."""
        return dialect_of(self.entries)


def dialect_of(entries: Mapping[str, Any]) -> str:
    """``envelope`` if a fresh stream begins with a ready event, else ``named``."""
    opened = entries.get("connect_ok")
    body = opened.get("body", "") if isinstance(opened, Mapping) else ""
    return "envelope" if "event: ready" in body else "named"


def load(name: str) -> Recording:
    """Read a recording.

    Args:
        name: one that comes with the kit, or a file's path.

    Raises:
        BadRecording: there is none, or it cannot be read.
    """
    if name in BUILT_IN.values():
        folder = resources.files("gateway_shim.parity") / "recordings"
        texts = [(folder / f"{name}{part}.json").read_text("utf-8") for part in _PARTS]
    else:
        try:
            texts = [Path(name).read_text("utf-8")]
        except (OSError, UnicodeDecodeError) as exc:
            known = ", ".join(BUILT_IN.values())
            raise BadRecording(f"no recording {name} ({exc}); there are {known}") from exc
    entries: dict[str, Any] = {}
    for text in texts:
        try:
            data = json.loads(text)
        except ValueError as exc:
            raise BadRecording(f"{name} is no recording: {exc}") from exc
        if not isinstance(data, dict):
            raise BadRecording(f"{name} is no recording: a JSON object is expected")
        entries.update(_flat(data))
    return Recording(name, entries)


def dump(scenarios: Iterable[Scenario], seen: Mapping[str, Any]) -> str:
    """Write what was seen as a recording's text; scenarios that were not played are left out."""
    data: dict[str, Any] = {}
    for scenario in scenarios:
        if scenario.id not in seen:
            continue
        if scenario.case:
            data.setdefault(scenario.name, []).append(seen[scenario.id])
        else:
            data[scenario.name] = seen[scenario.id]
    return json.dumps(data, indent=1) + "\n"


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    flat = {}
    for name, value in data.items():
        cases = [_case(item) for item in value] if isinstance(value, list) else [None]
        if None in cases:
            flat[name] = value
        else:
            flat.update({f"{name}/{case}": item for case, item in zip(cases, value, strict=True)})
    return flat


def _case(item: Any) -> str | None:
    """What tells an entry of a list from the others; None if it is no entry of such a list."""
    if not isinstance(item, dict):
        return None
    if "callback_url" in item:
        return str(item["path"])
    case = item.get("case", item.get("request"))
    return case if isinstance(case, str) else None
