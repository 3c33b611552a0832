"""Reads ``.env`` strictly: a line that cannot be read is an error, and is never ignored.

python-dotenv parses the file (quotes, escapes, comments, ``export``). Values are not interpolated:
``${NAME}`` stays as it is written.
"""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

__all__ = ["Assignment", "InvalidDotenv", "read_dotenv"]

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_LINE_END = re.compile(r"\r\n|\n|\r")
_BEGINNING = re.compile(rf"\s*(?:export\s+)?({_NAME})\s*([=:]?)\s*([\"']?)")


class InvalidDotenv(ValueError):
    """The file, or a line of it, cannot be read. The message says which line, and why.

    The message never shows a value, because the value may be a secret.
    """


@dataclass(frozen=True, slots=True)
class Assignment:
    """One ``NAME=value`` of the file.

    Args:
        name: the name as it is written.
        value: the value, without its quotes and with its escapes replaced.
        line: the number of its first line, counted from 1.
    """

    name: str
    value: str
    line: int


def read_dotenv(path: Path, known: Collection[str]) -> list[Assignment]:
    """Read a file of settings.

    Args:
        path: the file. A file that does not exist counts as empty.
        known: the names of the settings in lower case. A setting must not be assigned twice, and
            its value must not have several lines.

    Returns:
        Every assignment, including those of other names, in the order of the file.

    Raises:
        InvalidDotenv: the file, or a line of it, cannot be read.
    """
    text = _read(path)
    found: list[Assignment] = []
    lines: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text)):
        assignment = _assignment(binding, path, known)
        if assignment is None:
            continue
        name = assignment.name.lower()
        if name in known and name in lines:
            raise InvalidDotenv(
                f"{path} line {assignment.line}: {assignment.name} is already set in line"
                f" {lines[name]}; keep one of the two"
            )
        lines[name] = assignment.line
        found.append(assignment)
    return found


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise InvalidDotenv(f"{path} is a link to a file that does not exist") from None
        return ""
    except OSError as exc:
        raise InvalidDotenv(f"{path} cannot be read: {exc}") from exc
    if stat.S_ISDIR(mode):
        if (path / "pyvenv.cfg").is_file():
            return ""  # a virtual environment often has this name; it contains no settings
        raise InvalidDotenv(f"{path} is a directory; remove it, or put a file in its place")
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        # The file is read several times: by the first process, by each worker, by `check`.
        raise InvalidDotenv(f"{path} is a pipe or a socket; it must be a file")
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise InvalidDotenv(f"{path} cannot be read: {exc}") from exc
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise InvalidDotenv(f"{path} cannot be read: line {line} is not UTF-8") from exc
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidDotenv(f"{path} line {line}: contains a NUL character; the file must be UTF-8")
    return text


def _assignment(binding: Binding, path: Path, known: Collection[str]) -> Assignment | None:
    """Return the assignment that the parser has found; None for a comment and for empty lines."""
    written = binding.original.string
    content = written.lstrip()
    line = binding.original.line + len(_LINE_END.findall(written[: len(written) - len(content)]))
    where = f"{path} line {line}"
    if binding.error:
        raise InvalidDotenv(f"{where}: {_reason(content)}")
    if binding.key is None:
        return None
    if binding.value is None or not re.fullmatch(_NAME, binding.key):
        raise InvalidDotenv(f"{where}: {_reason(content)}")
    following = _LINE_END.split(content.rstrip())[1:]
    if following and (binding.key.lower() in known or _contain_settings(following, known)):
        raise InvalidDotenv(
            f"{where}: the quote of {binding.key} is not closed on its line, so the next lines"
            " become part of the value; close the quote"
        )
    return Assignment(binding.key, binding.value, line)


def _contain_settings(lines: list[str], known: Collection[str]) -> bool:
    """Return whether one of the lines of a value looks like a setting."""
    found = [_BEGINNING.match(line) for line in lines]
    return any(match and match[2] and match[1].lower() in known for match in found)


def _reason(content: str) -> str:
    match = _BEGINNING.match(content)
    if match is None:
        return "is not NAME=value; a comment begins with #"
    name, sign, quote = match.groups()
    if sign == "=" and quote:
        return f"the quote of {name} is not closed, or something follows it"
    if sign == ":":
        return f"{name} must be written with an equal sign: {name}=value"
    return f"{name} has no value; write {name}=value, or remove the line"
