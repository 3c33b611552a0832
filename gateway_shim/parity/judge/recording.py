"""Recordings: what a gateway did, scenario by scenario, as a JSON file.

``node-2025-11.json`` and ``node-2026-05.json`` were given and are kept unchanged. The files
``…-more.json`` were recorded by this kit from the same two gateways, for the scenarios that the
given files lack. Seven of their entries, about interim answers and odd statuses of the backend,
``send_compressed`` and two buffered sends, were written from a log of the same gateways' answers to
other clients. The files ``…-callbacks.json``, about odd answers to callbacks and odd CALLBACK_URLs,
were written from that log, too; where the log lacks a case, they have what Node's own HTTP client
does.

An entry's ``callback_answer_raw`` holds the backend's answers, in the order of the callbacks:
``bytes`` as latin-1 text, or as a list of texts and ``[text, n]`` for n times the text, and those
fields of :class:`gateway_shim.parity.reply.Reply` that differ from their default.

``…-requests.json``, about odd requests and a process's life, has three sources: that log, where it
has the case; notes of what the two gateways did in the cases that the log lacks; and, for similar
cases, the answers of Node 20's HTTP server with a gateway written after the contract.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway_shim.parity.scenario import Scenario

__all__ = ["BUILT_IN", "BadRecording", "Recording", "dialect_of", "dump", "load"]

BUILT_IN = {"named": "node-2025-11", "envelope": "node-2026-05"}
"""The recordings that come with the kit, by dialect."""

_PARTS = ("", "-more", "-callbacks", "-requests")


class BadRecording(Exception):
    """The recording does not exist or cannot be read."""


@dataclass(frozen=True)
class Recording:
    """The recorded behavior of a gateway.

    Args:
        name: the name in reports.
        entries: what was seen, by scenario id.
    """

    name: str
    entries: Mapping[str, Any]

    @property
    def dialect(self) -> str:
        """The dialect of the recorded gateway."""
        return dialect_of(self.entries)


def dialect_of(entries: Mapping[str, Any]) -> str:
    """Return ``envelope`` if a new stream begins with a ready event, else ``named``."""
    opened = entries.get("connect_ok")
    body = opened.get("body", "") if isinstance(opened, Mapping) else ""
    return "envelope" if "event: ready" in body else "named"


def load(name: str) -> Recording:
    """Read a recording. The recordings that come with the kit are read once.

    Args:
        name: the name of a recording that comes with the kit, or a file's path.

    Raises:
        BadRecording: the recording does not exist or cannot be read.
    """
    if name in BUILT_IN.values():
        return _built_in(name)
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        known = ", ".join(BUILT_IN.values())
        message = f"there is no recording {name} ({exc}); choose a file, or one of: {known}"
        raise BadRecording(message) from exc
    return _parse(name, [text])


def dump(scenarios: Iterable[Scenario], seen: Mapping[str, Any]) -> str:
    """Return what was seen as a recording's text, without scenarios that were not played."""
    data: dict[str, Any] = {}
    for scenario in scenarios:
        if scenario.id not in seen:
            continue
        if scenario.case:
            data.setdefault(scenario.name, []).append(seen[scenario.id])
        else:
            data[scenario.name] = seen[scenario.id]
    return json.dumps(data, indent=1) + "\n"


@functools.cache  # the files have half a megabyte, and every judgment needs them
def _built_in(name: str) -> Recording:
    folder = resources.files("gateway_shim.parity") / "recordings"
    return _parse(name, [(folder / f"{name}{part}.json").read_text("utf-8") for part in _PARTS])


def _parse(name: str, texts: Iterable[str]) -> Recording:
    entries: dict[str, Any] = {}
    for text in texts:
        try:
            data = json.loads(text)
        except ValueError as exc:
            raise BadRecording(f"{name} is not a recording: {exc}") from exc
        if not isinstance(data, dict):
            raise BadRecording(f"{name} is not a recording: it must contain a JSON object")
        entries.update(_flat(data))
    return Recording(name, MappingProxyType(entries))


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
    """Return the key of an entry in a list of cases; None if the item is not such an entry."""
    if not isinstance(item, dict):
        return None
    if "callback_url" in item:
        return str(item["path"])
    case = item.get("case", item.get("request"))
    return case if isinstance(case, str) else None
