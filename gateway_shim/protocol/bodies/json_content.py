"""The Content-Type of a send: whether it is JSON's, and the body's text in its charset. Pure.

As the Node gateway, which takes every charset whose name begins with ``utf-`` and no other.
"""

from __future__ import annotations

import codecs
import re

__all__ = ["NotJson", "UnknownCharset", "charset_of", "text_of"]

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = rf';\s*({_NAME})\s*=\s*({_NAME}|"(?:[^"\\]|\\.)*")\s*'
_JSON_TYPE = re.compile(rf"\s*application/json\s*((?:{_PARAMETER})*)", re.IGNORECASE)
_PARAMETERS = re.compile(_PARAMETER)
_QUOTED_PAIR = re.compile(r"\\(.)")

_CHARSETS = frozenset(
    {"utf-7", "utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"}
)
_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_SHOWN_CHARACTERS = 40


class NotJson(ValueError):
    """The Content-Type is not that of JSON, or is malformed."""


class UnknownCharset(ValueError):
    """The Content-Type names a charset that is not accepted; the message says which ones are."""


def charset_of(content_type: str | None) -> str:
    """Return the charset of a JSON body, in small letters; ``utf-8`` where none is named.

    Args:
        content_type: the request's Content-Type.

    Raises:
        NotJson: it is another type, or cannot be read.
        UnknownCharset: it names a charset that is not accepted.
    """
    matched = _JSON_TYPE.fullmatch(content_type or "")
    if matched is None:
        raise NotJson("the Content-Type must be application/json")
    if not matched[1]:
        return "utf-8"
    parameters = _PARAMETERS.findall(matched[1])
    named = {name.lower(): value for name, value in parameters}  # the last one wins, as in Node
    charset = _unquoted(named.get("charset", "utf-8")).lower()
    if charset not in _CHARSETS:
        raise UnknownCharset(
            f"the charset {charset[:_SHOWN_CHARACTERS]!r} is not supported; use utf-8"
        )
    return charset


def text_of(body: bytes, charset: str) -> str:
    """Return the text of a body, without its byte order mark.

    Bytes that are no text become U+FFFD. A character that breaks off at the end does so in UTF-8
    and UTF-32; in the others it is left out. UTF-16 and UTF-32 without a byte order mark are little
    endian, unless their first byte is zero: JSON begins with a character of ASCII.

    Args:
        body: the body, decompressed.
        charset: as :func:`charset_of` returns it.
    """
    if charset == "utf-8":
        text = body.decode(charset, "replace")
    else:
        if charset in _MARKS and not body.startswith(_MARKS[charset]):
            charset += "be" if body.startswith(b"\0") else "le"
        decoder = codecs.getincrementaldecoder(charset)("replace")
        text = decoder.decode(body, charset.startswith("utf-32"))
    return text.removeprefix("\ufeff")


def _unquoted(value: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", value[1:-1]) if value.startswith('"') else value
