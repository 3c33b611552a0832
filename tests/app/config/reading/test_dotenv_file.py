"""Every line of ``.env`` is read, or refused with its number."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.config.reading.dotenv_file import Assignment, InvalidDotenv, read_dotenv

KNOWN = {"port", "host", "sse_authorize", "admin_bind", "sse_callback_secret"}
SECRET = "hunter2"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file in the working directory, which does not exist yet."""
    monkeypatch.chdir(tmp_path)
    return Path(".env")


def values(file: Path, content: str | bytes) -> dict[str, str]:
    """Return the assignments of a file with some content."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {each.name: each.value for each in read_dotenv(file, KNOWN)}


def refusal(file: Path, content: str | bytes) -> str:
    """Return the error for a file with some content."""
    with pytest.raises(InvalidDotenv) as caught:
        values(file, content)
    message = str(caught.value)
    assert SECRET not in message
    assert "\n" not in message
    return message


def test_assignments(file: Path) -> None:
    """Each assignment has the number of its first line, also after comments and empty lines."""
    file.write_text("# comment\n\nPORT=1\n\n\nexport HOST='::1' # here\r\nother.name-1=x\n")
    assert read_dotenv(file, KNOWN) == [
        Assignment("PORT", "1", 3),
        Assignment("HOST", "::1", 6),
        Assignment("other.name-1", "x", 7),
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a b", "a b"),
        ("  a  ", "a"),
        ("", ""),
        ("'a#b c'", "a#b c"),
        ("a # b", "a"),
        ("a#b", "a#b"),
        ('"a\\n\\"b\\""', 'a\n"b"'),
        ("'a\\nb'", "a\\nb"),
        ("a=b=c", "a=b=c"),
        ("${HOME}", "${HOME}"),
        ('"pre${PORT}post"', "pre${PORT}post"),
        ("$HOME", "$HOME"),
        ("'${X:-y}'", "${X:-y}"),
        ("ü€", "ü€"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_what_is_written_is_the_value(file: Path, written: str, value: str, end: str) -> None:
    """Quotes and comments are removed, and escapes in double quotes replaced; nothing else."""
    assert values(file, f"SSE_CALLBACK_SECRET={written}{end}") == {"SSE_CALLBACK_SECRET": value}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f'SSE_CALLBACK_SECRET="{SECRET}', "the quote of SSE_CALLBACK_SECRET is not closed"),
        (f"SSE_CALLBACK_SECRET='{SECRET}", "the quote of SSE_CALLBACK_SECRET is not closed"),
        (f"SSE_CALLBACK_SECRET='it's {SECRET}'", "something follows it"),
        (f"SSE_CALLBACK_SECRET: {SECRET}", "with an equal sign: SSE_CALLBACK_SECRET=value"),
        (f"SSE_CALLBACK_SECRET:{SECRET}", "with an equal sign: SSE_CALLBACK_SECRET=value"),
        (f"SSE_CALLBACK_SECRET {SECRET}", "SSE_CALLBACK_SECRET has no value"),
        ("SSE_AUTHORIZE", "SSE_AUTHORIZE has no value"),
        ("export SSE_AUTHORIZE", "SSE_AUTHORIZE has no value"),
        (f"set PORT={SECRET}", "set has no value"),
        (f'"PORT"={SECRET}', "is not NAME=value"),
        (f"={SECRET}", "is not NAME=value"),
        ("[section]", "is not NAME=value"),
        ("; comment", "is not NAME=value"),
        ("// comment", "is not NAME=value"),
        (f"\u200bPORT={SECRET}", "is not NAME=value"),
        (f"OTHER: {SECRET}", "OTHER must be written with an equal sign"),
    ],
)
@pytest.mark.parametrize("before", ["", "# comment\n\r\n", "PORT=1\n\n"])
def test_a_line_that_cannot_be_read(file: Path, line: str, why: str, before: str) -> None:
    """A line that cannot be read is refused with its number and name, without its value."""
    number = before.count("\n") + 1
    message = refusal(file, f"{before}{line}\nHOST=::1\n")
    assert message.startswith(f".env line {number}: ")
    assert why in message


@pytest.mark.parametrize(
    "content",
    [
        f'SSE_CALLBACK_SECRET="{SECRET}\nADMIN_BIND="',
        f"SSE_CALLBACK_SECRET='{SECRET}\nOTHER=1\nX='\n",
        f'X="{SECRET}\n  export ADMIN_BIND=127.0.0.1:1\nY="\n',
        f'X="{SECRET}\nadmin_bind: 127.0.0.1:1\nY="\n',
    ],
)
def test_a_quote_that_takes_the_next_lines(file: Path, content: str) -> None:
    """A setting that became part of another value by an open quote is found."""
    assert "is not closed on its line" in refusal(file, f"\n{content}")
    assert refusal(file, f"\n{content}").startswith(".env line 2: ")


def test_several_lines_for_another_program(file: Path) -> None:
    """A name of another program may have a value of several lines."""
    key = '"-----BEGIN KEY-----\nabc=\n-----END KEY-----"'
    assert values(file, f"DEPLOY_KEY={key}\nPORT=1\n") == {
        "DEPLOY_KEY": key.strip('"'),
        "PORT": "1",
    }


@pytest.mark.parametrize("second", ["ADMIN_BIND=", "admin_bind=127.0.0.1:1", "ADMIN_BIND=b:2"])
def test_a_setting_twice(file: Path, second: str) -> None:
    """A setting that is assigned twice is refused, with both lines."""
    message = refusal(file, f"ADMIN_BIND=127.0.0.1:1\nX=1\nX=2\n{second}\n")
    name = second.partition("=")[0]
    assert message == f".env line 4: {name} is already set in line 1; keep one of the two"


def test_no_file(file: Path) -> None:
    """A missing file counts as empty."""
    assert read_dotenv(file, KNOWN) == []
    assert values(file, "") == {}


def test_a_byte_order_mark(file: Path) -> None:
    """A byte order mark is not part of the first name; some editors write it."""
    assert values(file, b"\xef\xbb\xbfPORT=1\n") == {"PORT": "1"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"HOST=::1\nPORT=\xff\xfe\n", ".env cannot be read: line 2 is not UTF-8"),
        ("PORT=1\n".encode("utf-16"), ".env cannot be read: line 1 is not UTF-8"),
        (b"X=1\nPORT=1\0\n", ".env line 2: contains a NUL character; the file must be UTF-8"),
    ],
)
def test_another_encoding(file: Path, content: bytes, message: str) -> None:
    """Another encoding than UTF-8 is refused, with the line."""
    assert refusal(file, content) == message


def test_a_directory(file: Path) -> None:
    """A directory is refused: a container mounts one in place of a missing file."""
    file.mkdir()
    with pytest.raises(InvalidDotenv, match=r"^\.env is a directory"):
        read_dotenv(file, KNOWN)
    (file / "pyvenv.cfg").touch()
    assert read_dotenv(file, KNOWN) == [], "a virtual environment of that name"


def test_a_link_to_nothing(file: Path) -> None:
    """A link to a missing file is refused: the settings of that file are missing."""
    file.symlink_to("gone")
    with pytest.raises(InvalidDotenv, match=r"^\.env is a link to a file that does not exist$"):
        read_dotenv(file, KNOWN)
    Path("gone").write_text("PORT=1\n")
    assert len(read_dotenv(file, KNOWN)) == 1


def test_a_pipe(file: Path) -> None:
    """A pipe is refused: it could be read only once, and reading could hang."""
    os.mkfifo(file)
    with pytest.raises(InvalidDotenv, match="must be a file"):
        read_dotenv(file, KNOWN)


@pytest.mark.parametrize("method", ["stat", "read_bytes"])
def test_a_file_that_may_not_be_read(
    file: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A file that may not be read is refused, with the reason of the system."""
    file.touch()

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied", ".env")

    monkeypatch.setattr(Path, method, deny)
    with pytest.raises(InvalidDotenv, match=r"^\.env cannot be read: .*Permission denied"):
        read_dotenv(file, KNOWN)
