"""The Content-Type of a JSON body, and the text of the body in its charset. Pure.

The accepted charsets are those of the Node gateway: every charset whose name begins with ``utf-``.
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
    """The Content-Type is not ``application/json``, or is malformed."""


class UnknownCharset(ValueError):
    """The charset of the Content-Type is not accepted; the message says which charset to use."""


def charset_of(content_type: str | None) -> str:
    """Return the charset of a JSON body, in small letters. The default is ``utf-8``.

    Args:
        content_type: the request's Content-Type.

    Raises:
        NotJson: the Content-Type is another one, or is malformed.
        UnknownCharset: the charset is not accepted.
    """
    matched = _JSON_TYPE.fullmatch(content_type or "")
    if matched is None:
        raise NotJson("the Content-Type must be application/json")
    if not matched[1]:
        return "utf-8"
    parameters = _PARAMETERS.findall(matched[1])
    # Of repeated parameters the last one counts, as in Node.
    named = {name.lower(): value for name, value in parameters}
    charset = _unquoted(named.get("charset", "utf-8")).lower()
    if charset not in _CHARSETS:
        raise UnknownCharset(
            f"the charset {charset[:_SHOWN_CHARACTERS]!r} is not supported; use utf-8"
        )
    return charset


def text_of(body: bytes, charset: str) -> str:
    """Return the text of a body, without its byte order mark.

    Bytes that cannot be decoded become U+FFFD. An incomplete character at the end becomes U+FFFD in
    UTF-8 and UTF-32; in the other charsets it is left out. UTF-16 and UTF-32 without a byte order
    mark are little endian, unless their first byte is zero, because JSON begins with an ASCII
    character.

    Args:
        body: the decompressed body.
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
