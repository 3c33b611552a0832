"""The placeholders of a scenario's template, and what was seen for each of them.

A placeholder is written ``$kind`` or ``$kind:argument``, for example ``$body:s``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway_shim.parity.play import observation
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.probe import ProbeConnection
from gateway_shim.parity.play.session import Callback

__all__ = ["CALLBACK_KINDS", "FENCE_TARGET", "placeholders"]

FENCE_TARGET = "/parity/fence"
"""The target of the player's own stream, whose callbacks no placeholder shows."""

CALLBACK_KINDS = ("$callback", "$calls", "$actions", "$reasons")
"""The beginnings of the placeholders that show which callbacks came."""


def placeholders(context: PlayContext) -> Mapping[str, Callable[[str], Any]]:
    """Return, for each kind of placeholder, the function that gives its value for an argument.

    Args:
        context: the context in which the scenario's steps have run.
    """
    callbacks = _callbacks(context)
    reasons = [
        [c.action, c.json.get("reason") if isinstance(c.json, dict) else None] for c in callbacks
    ]
    connections = {**context.streams, **context.answers}

    def of_stream(name: str) -> list[Callback]:
        token = context.tokens.get(name)
        return [c for c in callbacks if token is not None and c.token == token]

    return {
        # A stream or an answer, by its name:
        "head": lambda name: observation.head(connections[name].head),
        "status": lambda name: head.status if (head := connections[name].head) else None,
        "header": lambda name: _header(connections[name.split(":")[0]], name.split(":")[1]),
        "body": lambda name: observation.body_of(connections[name]),
        "saw": lambda name: _saw(context, *name.split(":", 1)),
        "ended": lambda name: connections[name].ended,
        "chunks": lambda name: [observation.as_text(c) for c in connections[name].chunks],
        "answer": lambda name: observation.answer(context.answers[name]),
        # Measured values:
        "value": lambda name: context.values.get(name),
        "about": lambda seconds: _about(context, float(seconds)),
        "during": lambda _name: list(context.session.during),
        # Callbacks, of one stream or of the whole scenario:
        "callbacks": lambda _name: [observation.callback(c) for c in callbacks],
        "callbacks_of": lambda name: [observation.callback(c) for c in of_stream(name)],
        "asked": lambda name: bool(of_stream(name)),
        "connects": lambda name: [c.action for c in of_stream(name) if c.action != "disconnect"],
        "calls": lambda _name: [f"{c.method} {c.path} {c.action or '-'}" for c in callbacks],
        "callback_texts": lambda _name: [c.text for c in callbacks],
        "authorizations": lambda _name: [c.authorization for c in callbacks],
        "connections": lambda _name: len({c.connection for c in callbacks}),
        "actions": lambda _name: [c.action for c in callbacks],
        "reasons": lambda _name: reasons,
        "disconnects": lambda _name: [pair for pair in reasons if pair[0] == "disconnect"],
        "callback_url": lambda _name: _url(callbacks[0]) if callbacks else None,
        "url_length": lambda _name: len(str(_url(callbacks[0]))) if callbacks else None,
        # The gateway's process:
        "output_mentions": lambda word: (
            context.gateway is not None and word in context.gateway.last_output()
        ),
    }


def _callbacks(context: PlayContext) -> list[Callback]:
    """Return the scenario's callbacks without those of the player's own stream."""
    fences = {c.token for c in context.session.callbacks if _url(c) == FENCE_TARGET}
    return [c for c in context.session.callbacks if c.token not in fences]


def _saw(context: PlayContext, stream: str, text: str) -> bool:
    return text in observation.as_text(context.streams[stream].body)


def _about(context: PlayContext, seconds: float) -> str:
    took = float(context.values.get("seconds", 0.0))
    return f"about {seconds:g}" if abs(took - seconds) <= 1.0 else f"{took:.1f}"


def _header(connection: ProbeConnection, name: str) -> str | None:
    return None if connection.head is None else connection.head.get(name)


def _url(callback: Callback) -> Any:
    request = callback.json.get("request") if isinstance(callback.json, dict) else None
    return request.get("url") if isinstance(request, dict) else None
