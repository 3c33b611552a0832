"""What may not appear in a log: secrets, and characters that would forge a line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["MASK", "Redactor", "escape"]

MASK = "***"
"""What stands in a log where a secret was."""

# C0 and C1 controls, the line ends that only Unicode knows, what turns the direction of text
# (a terminal would show another line than was written), and lone surrogates (not encodable).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_SENSITIVE = r"(?:(?:proxy-)?authorization|(?:set-)?cookie|x-sse-secret|x-api-key|password|passwd)"
_SENSITIVE_FIELD = re.compile(_SENSITIVE + r"|.*(?:secret|password|api_key)", re.IGNORECASE)
_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # ?secret=… in a URL, SSE_CALLBACK_SECRET=… in an environment.
    (re.compile(rf"(secret=)(?:{_QUOTED}|[^&#\s\"]+)", re.IGNORECASE), rf"\1{MASK}"),
    # What a page may put into its stream's URL, since EventSource sends no headers of its own.
    (
        re.compile(
            r"([?&](?:(?:access_|id_)?token|jwt|auth|api_?key|key|password|sig|signature)=)[^&#\s\"]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # A header: as a line, in a dict's repr, as a pair. Unquoted, its value lasts to the line's end.
    (
        re.compile(
            rf"\b({_SENSITIVE}(?:\\*[\"']\s*[:,]|\s*[:=])\s*)b?(?:{_QUOTED}|[^\r\n]+)",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(?<=://)[^/\s@\"'?#]+(?=@)"), MASK),
)

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
        self._literal = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text with every secret masked: known ones, credentials in URLs and headers."""
        if self._literal is not None:
            text = self._literal.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def field(self, name: str, value: object) -> Any:
        """A log record's extra field as plain data for JSON, secrets masked.

        Args:
            name: the field's name; one that names a secret has its whole value masked.
            value: anything.
        """
        return self._field(name, value, _DEPTH)

    def _field(self, name: str, value: object, depth: int) -> Any:
        return MASK if _SENSITIVE_FIELD.fullmatch(name) else self._plain(value, depth)

    def _plain(self, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return self.text(str(value))  # str(): an enum's member becomes its text
        if hasattr(value, "get_secret_value"):  # pydantic's SecretStr and SecretBytes
            return MASK
        if depth and isinstance(value, Mapping):
            return {
                self.text(name): self._field(name, item, depth - 1)
                for name, item in ((_shown(key), item) for key, item in value.items())
            }
        if depth and isinstance(value, list | tuple | set | frozenset):
            return [self._plain(item, depth - 1) for item in value]
        return self.text(_shown(value))


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception as exc:  # noqa: BLE001 - foreign __str__; a log line must not fail for it
        return f"<{type(value).__name__} that cannot be shown: {type(exc).__name__}>"
