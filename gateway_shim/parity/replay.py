"""Steps as JSON text, the form in which a case is printed and replayed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from gateway_shim.parity.raw_steps import parts_from_json
from gateway_shim.parity.reply import reply_from_data
from gateway_shim.parity.steps import STEPS, Step

__all__ = ["steps_from_json", "steps_to_json"]


def steps_to_json(steps: Iterable[Step]) -> str:
    """Return steps as JSON text, which :func:`steps_from_json` reads."""
    return json.dumps([_plain(step) for step in steps], separators=(",", ":"))


def steps_from_json(text: str) -> tuple[Step, ...]:
    """Read steps from JSON text.

    Raises:
        ValueError: the text is not JSON, or not a list of steps.
    """
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError("expected a list of steps")
    return tuple(_step(item) for item in value)


def _plain(value: Any) -> Any:
    """Return a dataclass as JSON-like data without the fields that have their default."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not is_dataclass(value):
        return value
    plain: dict[str, Any] = {"do": type(value).__name__}
    for item in fields(value):
        if (content := getattr(value, item.name)) != item.default:
            plain[item.name] = _plain(content)
    return plain


def _step(item: Any) -> Step:
    if not isinstance(item, dict) or item.get("do") not in STEPS:
        raise ValueError(f"unknown step: {json.dumps(item)[:100]}")
    values = {key: value for key, value in item.items() if key != "do"}
    try:
        if "headers" in values:
            values["headers"] = tuple((str(name), str(value)) for name, value in values["headers"])
        if "reply" in values:
            values["reply"] = reply_from_data(values["reply"])
        if "parts" in values:
            values["parts"] = parts_from_json(values["parts"])
        for name in ("addresses", "awaits", "sends"):
            if name in values:
                values[name] = tuple(values[name])
        step: Step = STEPS[item["do"]](**values)
    except (AttributeError, TypeError, ValueError) as exc:
        raise ValueError(f"step {item['do']}: {exc}") from exc
    return step
