"""The command ``sse-monolith watch``: print an event stream as it arrives, and reconnect."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
import uuid
from collections.abc import Callable
from typing import TextIO
from urllib.parse import parse_qs, urlsplit, urlunsplit

import click

from app.watch.connection import SSEConnection, StreamRefused
from app.watch.event_lines import Message, escape_unprintable, human_line, json_line
from app.watch.following import follow, without_password

__all__ = ["stream_url", "watch", "watch_command"]

_STREAM_PATH = "/api/sse/stream"
_IDLE_SECONDS = 60.0
"""Four times the default interval of heartbeats."""


def stream_url(url: str, request_id: str) -> str:
    """Complete the URL of a stream.

    Args:
        url: the URL as a person typed it. If it has no path, the path of the stream is added.
        request_id: the request ID to add if the URL has none.

    Raises:
        ValueError: ``url`` is not an http(s) URL; the message gives an example of one.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is not an http(s) URL; try http://127.0.0.1:5000")
    if not parts.hostname:
        raise ValueError(f"{url!r} has no host; try http://127.0.0.1:5000")
    _ = parts.port  # raises ValueError if the port is invalid
    path = _STREAM_PATH if parts.path in ("", "/") else parts.path
    query = parts.query
    if "request_id" not in parse_qs(query, keep_blank_values=True):
        query += f"{'&' if query else ''}request_id={request_id}"
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def watch(
    url: str,
    task_id: str | None = None,
    as_json: bool = False,
    out: TextIO | None = None,
    err: TextIO | None = None,
    *,
    last_id: str = "",
    idle_seconds: float = _IDLE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
    now: Callable[[], float] = time.time,
    ticks: Callable[[], float] = time.monotonic,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> int:
    """Print a stream, one event per line, until the stream is refused or the output is closed.

    Args:
        url: the URL to complete with :func:`stream_url`.
        task_id: show only the events of the task whose ID begins with this text.
        as_json: print a JSON object per line instead of a line for people.
        out: the output for events; standard output by default.
        err: the output for everything else; standard error by default.
        last_id: the event ID after which the first stream resumes; empty: it does not resume.
        idle_seconds: reconnect after this long without a byte.
        sleep: waits for a number of seconds.
        chance: returns a random number from 0.0 to 1.0.
        now: returns seconds since the epoch.
        ticks: returns monotonic seconds.
        new_id: makes a request ID.

    Returns:
        The exit status: 0 after Ctrl-C or when the reader of ``out`` has closed it; 1 if the stream
        is refused or ``out`` cannot be written to.
    """
    out, err = out or sys.stdout, err or sys.stderr
    render = json_line if as_json else human_line

    def show(message: Message) -> None:
        if task_id is None or message.is_of_task(task_id):
            _write(out, render(message, now()))

    def say(text: str) -> None:
        _write(err, f"watch: {escape_unprintable(text)}")

    try:
        target = stream_url(url, new_id())
    except ValueError as exc:
        say(str(exc))
        return 1
    try:
        with SSEConnection(
            target, idle_seconds=idle_seconds, now=now, last_id=last_id
        ) as connection:
            try:
                follow(connection, show, say, sleep=sleep, chance=chance, ticks=ticks)
            except StreamRefused as exc:
                say(f"{without_password(target)} {exc}")
                return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        for stream in (out, err):
            _discard(stream)
        return 0
    except OSError as exc:  # for example, the output is a file on a full disk
        for stream in (out, err):
            _discard(stream)
        with contextlib.suppress(OSError):
            say(f"cannot write: {exc.strerror}")
        return 1


def _write(stream: TextIO, line: str) -> None:
    """Write a line and flush it; escape the characters that the stream cannot encode.

    Raises:
        BrokenPipeError: the reader of the stream has closed it.
    """
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device if it cannot be flushed.

    Python flushes the standard streams once more when it exits, which would fail.
    """
    with contextlib.suppress(OSError):
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, stream.fileno())
        os.close(null_device)


@click.command("watch", short_help="Print an event stream as it arrives.")
@click.argument("url")
@click.option(
    "--task",
    "task_id",
    metavar="ID",
    help="Show only the events of this task. The first characters of its ID are enough.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object per line; nothing is shortened."
)
@click.option(
    "--last-event-id",
    "last_id",
    metavar="ID",
    default="",
    help="Resume after the event with this ID, as --json prints it: show the events that were sent"
    " since then first.",
)
@click.option(
    "--idle",
    "idle_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=_IDLE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Reconnect after this long without a byte. It must be longer than the server's interval"
    " of heartbeats.",
)
def watch_command(
    url: str, task_id: str | None, as_json: bool, last_id: str, idle_seconds: float
) -> None:
    """Print the event stream at URL as it arrives, one event per line, until Ctrl-C.

    URL may be the address of a server, such as http://127.0.0.1:5000. The path of the stream and
    a request ID are then added. If the stream breaks, the command reconnects, and shows the events
    that were sent in the meantime if the server still has them.
    """
    if not last_id.isprintable():
        raise click.BadParameter(
            "it must not contain control characters", param_hint="'--last-event-id'"
        )
    sys.exit(watch(url, task_id, as_json, last_id=last_id, idle_seconds=idle_seconds))
