"""Removes secrets from log lines, shortens request ids and long texts, and escapes line ends.

A client that knows a request id can take over its stream. Therefore a log shows only the first
characters of a request id, which are enough to find its lines.

A log call may get any object. The methods of :class:`Redactor` never raise an error, whatever the
object does.
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
"""The text in place of a secret."""

SHOWN_ID_CHARACTERS = 8
"""The characters that are shown of a request id; of a UUID, those before the first hyphen.

An id that is shorter than twice this number is shown whole: it can be guessed anyway.
"""

MAX_CHARACTERS = 32 * 1024
"""The characters that are kept of a text, and of all texts in one field. The search for secrets in
so many characters takes some milliseconds, in which no stream is served."""

MAX_ITEMS = 1000
"""The items that are kept of all collections in one field."""

_MORE = "…"
"""The text in place of left-out items, or of the left-out characters of a request id."""

_MAX_INTEGER_BITS = 2000
"""The bits of the largest integer that is shown as a number. A larger integer is shown as
hexadecimal text, because ``str`` and ``json`` may refuse it."""

# C0 and C1 control characters, Unicode's line ends, characters that change the direction of text (a
# terminal would show another line than was written), and lone surrogates (they cannot be encoded).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_SENSITIVE = r"(?:(?:proxy-)?authorization|(?:set-)?cookie|x-sse-secret|x-api-key|password|passwd)"
_ID_FIELD = "request_id"
_SENSITIVE_FIELD = re.compile(_SENSITIVE + r"|.*(?:secret|password|api_key)", re.IGNORECASE)


def _patterns(end: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the patterns of secrets, each with its replacement.

    Args:
        end: an alternative to a closing quote or ``@`` in a pattern: empty, or the end of a text
            that was cut.
    """
    quoted = rf"\"(?:\\.|[^\"\\])*(?:\"{end})|'(?:\\.|[^'\\])*(?:'{end})"
    return (
        # ?secret=… in a URL, SSE_CALLBACK_SECRET=… in an environment.
        (re.compile(rf"(secret=)(?:{quoted}|[^&#\s\"]+)", re.IGNORECASE), rf"\1{MASK}"),
        # Credentials in a stream's URL. EventSource sets no headers, so a page may put them there.
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
        # A header: as a line, in the repr of a dict, or as a pair. A value without quotes lasts to
        # the end of the line.
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
    """Replace control characters by escapes, so that the text stays one line.

    Printable characters of all scripts stay unchanged. The escapes are also valid in a JSON string.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"


class Redactor:
    """Removes secrets from texts and values before they are logged.

    Args:
        secrets: values that are masked wherever they occur.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {
            form
            for secret in secrets
            if secret
            for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
        }
        # The longest form comes first, because a form may contain another one.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._longest = len(ordered[0]) if ordered else 0  # characters of the longest form
        self._literal = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str, limit: int = MAX_CHARACTERS) -> str:
        """Mask the secrets in a text: the known secrets, and credentials in URLs and headers.

        Args:
            text: any text.
            limit: the characters of the text that are kept. The length of a longer text is
                appended.
        """
        cut = len(text) > limit
        shown = text[:limit] if cut else text
        if self._literal is not None:
            shown = self._literal.sub(MASK, shown)
        for pattern, replacement in _PATTERNS_OF_A_CUT_TEXT if cut else _PATTERNS:
            shown = pattern.sub(replacement, shown)
        if cut:
            # The last characters are left out: they may be the beginning of a known secret.
            shown = f"{shown[: max(0, len(shown) - self._longest)]}… ({len(text)} characters)"
        return shown

    def field(self, name: object, value: object, limit: int = MAX_CHARACTERS) -> Any:
        """Return an extra field of a log record as plain data for JSON, with its secrets masked.

        Args:
            name: the name of the field. If it names a secret, the whole value is masked.
            value: any object. Long texts and large collections are cut.
            limit: the characters that are kept of all texts in the field.
        """
        return self._field(text_of(name), value, _DEPTH, _Room(limit))

    # ------------------------------------------------------------------ private

    def _field(self, name: str, value: object, depth: int, room: _Room) -> Any:
        if _SENSITIVE_FIELD.fullmatch(name):
            return MASK
        plain = self._plain(value, depth, room)
        return short_id(plain) if name == _ID_FIELD and isinstance(plain, str) else plain

    def _plain(self, value: object, depth: int, room: _Room) -> Any:
        try:
            return self._convert(value, depth, room)
        except BaseException as exc:  # noqa: BLE001 - a log line must not fail because of an object
            return not_shown(value, exc)

    def _convert(self, value: Any, depth: int, room: _Room) -> Any:
        # type() is used because isinstance() would call the object's own __class__.
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
            return self._fitting(text_of(value), room)  # a member of an enum becomes its text
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
    """Return the part of a request id that a log shows."""
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
        """Count one more item; return False if there is no room for the item."""
        self.items -= 1
        return self.items >= 0
