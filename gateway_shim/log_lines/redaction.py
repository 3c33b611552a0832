"""Keeps out of a log: secrets, request ids, characters that forge a line, very long texts.

Whoever knows a request id can take over its stream, so a log has the first characters of one only:
enough to find its lines.

A log call may be handed any object. Whatever that object does when it is looked at, the methods
of :class:`Redactor` return.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from gateway_shim.log_lines.safe_text import not_shown, text_of

__all__ = [
    "MASK",
    "MAX_CHARACTERS",
    "MAX_ITEMS",
    "SHOWN_ID_CHARACTERS",
    "Redactor",
    "escape",
    "short_id",
]

MASK = "***"
"""What stands in a log where a secret was."""

SHOWN_ID_CHARACTERS = 8
"""Characters that are shown of a request id: of a UUID, those before the first hyphen.

An id that is not at least twice as long is shown whole: so short an id can be guessed anyway.
"""

MAX_CHARACTERS = 32 * 1024
"""Characters that are kept of a text, and of all texts in one field. To look for secrets in that
many takes some milliseconds, in which no stream gets anything."""

MAX_ITEMS = 1000
"""Items that are kept of all collections in one field."""

_MORE = "…"
"""The text in place of the items, or of a request id's characters, that are left out."""

_MAX_INTEGER_BITS = 2000
"""An integer of more bits is shown as hexadecimal text: ``str`` and ``json`` may refuse it."""

# C0 and C1 controls, the line ends that only Unicode knows, what turns the direction of text
# (a terminal would show another line than was written), and lone surrogates (not encodable).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_SENSITIVE = r"(?:(?:proxy-)?authorization|(?:set-)?cookie|x-sse-secret|x-api-key|password|passwd)"
_ID_FIELD = "request_id"
_SENSITIVE_FIELD = re.compile(_SENSITIVE + r"|.*(?:secret|password|api_key)", re.IGNORECASE)


def _patterns(end: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return what secrets look like, and what to write instead.

    Args:
        end: what may stand in the place of a closing quote or ``@``: nothing, or the end of a
            text that was cut.
    """
    quoted = rf"\"(?:\\.|[^\"\\])*(?:\"{end})|'(?:\\.|[^'\\])*(?:'{end})"
    return (
        # ?secret=… in a URL, SSE_CALLBACK_SECRET=… in an environment.
        (re.compile(rf"(secret=)(?:{quoted}|[^&#\s\"]+)", re.IGNORECASE), rf"\1{MASK}"),
        # What a page may put into its stream's URL, since EventSource sends no headers of its own.
        (
            re.compile(
                r"([?&](?:(?:access_|id_)?token|jwt|auth|api_?key|key|password|sig|signature)=)[^&#\s\"]+",
                re.IGNORECASE,
            ),
            rf"\1{MASK}",
        ),
        # A request id in a stream's URL.
        (
            re.compile(
                rf"([?&]{_ID_FIELD}=[^&#\s\"]{{{SHOWN_ID_CHARACTERS}}})[^&#\s\"]{{{SHOWN_ID_CHARACTERS},}}"
            ),
            rf"\1{_MORE}",
        ),
        # A header: as a line, in a dict's repr, as a pair. Unquoted, its value lasts to the line's
        # end.
        (
            re.compile(
                rf"\b({_SENSITIVE}(?:\\*[\"']\s*[:,]|\s*[:=])\s*)b?(?:{quoted}|[^\r\n]+)",
                re.IGNORECASE,
            ),
            rf"\1{MASK}",
        ),
        (re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
        (re.compile(rf"(?<=://)[^/\s@\"'?#]+(?=@{end})"), MASK),
    )


_PATTERNS = _patterns("")
_PATTERNS_OF_A_CUT_TEXT = _patterns(r"|\\?\Z")

_DEPTH = 4


def escape(text: str) -> str:
    """Write control characters as escapes, so that the text stays one line.

    Printable text of any script stays as it is. The escapes are also valid in a JSON string.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"


class Redactor:
    """Takes secrets out of what is to be logged.

    Args:
        secrets: values that must appear nowhere, in whatever context.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {
            form
            for secret in secrets
            if secret
            for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
        }
        # The longest first: a form may hold another one.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._longest = len(ordered[0]) if ordered else 0
        self._literal = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str, limit: int = MAX_CHARACTERS) -> str:
        """Return the text with every secret masked: known ones, credentials in URLs and headers.

        Args:
            text: any text.
            limit: characters of it that are looked at; the rest is left out, and counted.
        """
        cut = len(text) > limit
        shown = text[:limit] if cut else text
        if self._literal is not None:
            shown = self._literal.sub(MASK, shown)
        for pattern, replacement in _PATTERNS_OF_A_CUT_TEXT if cut else _PATTERNS:
            shown = pattern.sub(replacement, shown)
        if cut:
            # Without the last characters: they may be the beginning of a known secret.
            shown = f"{shown[: max(0, len(shown) - self._longest)]}… ({len(text)} characters)"
        return shown

    def field(self, name: object, value: object, limit: int = MAX_CHARACTERS) -> Any:
        """Return a log record's extra field as plain data for JSON, secrets masked.

        Args:
            name: the field's name; one that names a secret has its whole value masked.
            value: anything. Long texts and large collections are cut.
            limit: characters that are kept of all texts in the field.
        """
        return self._field(text_of(name), value, _DEPTH, _Room(limit))

    def _field(self, name: str, value: object, depth: int, room: _Room) -> Any:
        if _SENSITIVE_FIELD.fullmatch(name):
            return MASK
        plain = self._plain(value, depth, room)
        return short_id(plain) if name == _ID_FIELD and isinstance(plain, str) else plain

    def _plain(self, value: object, depth: int, room: _Room) -> Any:
        try:
            return self._convert(value, depth, room)
        except BaseException as exc:  # noqa: BLE001 - foreign code; a log line must not fail for it
            return not_shown(value, exc)

    def _convert(self, value: Any, depth: int, room: _Room) -> Any:
        # The class is asked, not the instance: isinstance() would call a foreign __class__.
        kind = type(value)
        if value is None or kind is bool:
            return value
        if issubclass(kind, int):
            number = int.__int__(value)
            small = number.bit_length() <= _MAX_INTEGER_BITS
            return number if small else self._fitting(hex(number), room)
        if issubclass(kind, float):
            return float.__float__(value) if math.isfinite(value) else float.__repr__(value)
        if issubclass(kind, str):
            return self._fitting(text_of(value), room)  # an enum's member becomes its text
        if issubclass(kind, bytes | bytearray):
            return self._fitting(repr(value[: room.characters + 1]), room)
        if hasattr(value, "get_secret_value"):  # pydantic's SecretStr and SecretBytes
            return MASK
        if depth and issubclass(kind, Mapping):
            return self._mapping(value, depth - 1, room)
        if depth and issubclass(kind, list | tuple | set | frozenset):
            return self._sequence(value, depth - 1, room)
        return self._fitting(text_of(value), room)

    def _mapping(self, value: Mapping[Any, Any], depth: int, room: _Room) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in value.items():
            if not room.take_item():
                plain[_MORE] = _MORE
                break
            name = text_of(key)
            plain[self._fitting(name, room)] = self._field(name, item, depth, room)
        return plain

    def _sequence(self, value: Iterable[Any], depth: int, room: _Room) -> list[Any]:
        plain: list[Any] = []
        for item in value:
            if not room.take_item():
                plain.append(_MORE)
                break
            plain.append(self._plain(item, depth, room))
        return plain

    def _fitting(self, text: str, room: _Room) -> str:
        shown = self.text(text, room.characters)
        room.characters = max(0, room.characters - len(text))
        return shown


def short_id(request_id: str) -> str:
    """Return what a log shows of a request id."""
    if len(request_id) < 2 * SHOWN_ID_CHARACTERS:
        return request_id
    return f"{request_id[:SHOWN_ID_CHARACTERS]}{_MORE}"


class _Room:
    """The items of collections and the characters that one field may still show."""

    __slots__ = ("characters", "items")

    def __init__(self, characters: int) -> None:
        self.characters = characters
        self.items = MAX_ITEMS

    def take_item(self) -> bool:
        """Count one item more; return False if there is no room for it."""
        self.items -= 1
        return self.items >= 0
