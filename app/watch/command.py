"""``sse-monolith watch``: print an event stream as it comes, and stay with it."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TextIO
from urllib.parse import parse_qs, urlsplit, urlunsplit

import click

from app.watch.event_lines import Message, human_line, json_line, printable, read_message

if TYPE_CHECKING:
    from app.watch.connection import SSEConnection

__all__ = ["pause_seconds", "stream_url", "watch", "watch_command"]

_STREAM_PATH = "/api/sse/stream"
_IDLE_SECONDS = 60.0
"""Four heartbeats, at the default interval."""

_RETRY_SECONDS = 1.0
_SHORTEST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 300.0
_LONGEST_GROWN_PAUSE_SECONDS = 30.0


def stream_url(url: str, request_id: str) -> str:
    """The URL of a stream, with what is missing filled in.

    Args:
        url: what a person typed; without a path it is a server, and its one stream is meant.
        request_id: used unless the URL has one.

    Raises:
        ValueError: it is no http(s) URL; says what would be one.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no http(s) URL; try http://127.0.0.1:5000")
    if not parts.hostname:
        raise ValueError(f"{url!r} names no host; try http://127.0.0.1:5000")
    _ = parts.port  # Raises, too, when it is no port.
    path = _STREAM_PATH if parts.path in ("", "/") else parts.path
    query = parts.query
    if "request_id" not in parse_qs(query, keep_blank_values=True):
        query += f"{'&' if query else ''}request_id={request_id}"
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def pause_seconds(
    failures: int, retry: float | None, chance: float, retry_after: float | None = None
) -> float:
    """How long to wait before connecting again.

    It doubles with every failure, and half of it again is left to chance, so that the clients
    of a server that went away do not all come back in the same moment.

    Args:
        failures: attempts that failed since there was a stream last.
        retry: what the server asked for, seconds; it is never undercut.
        chance: 0.0 to 1.0.
        retry_after: what its last answer asked for, seconds; it is never undercut either. Of
            both, no more counts than five minutes.
    """
    base = _RETRY_SECONDS if retry is None else retry
    base = min(max(base, _SHORTEST_RETRY_SECONDS), _LONGEST_RETRY_SECONDS)
    grown = min(base * 2.0 ** min(failures, 16), max(base, _LONGEST_GROWN_PAUSE_SECONDS))
    if retry_after is not None:
        grown = max(grown, min(retry_after, _LONGEST_RETRY_SECONDS))
    return grown * (1 + chance / 2)


def watch(
    url: str,
    task_id: str | None = None,
    as_json: bool = False,
    out: TextIO | None = None,
    err: TextIO | None = None,
    *,
    idle_seconds: float = _IDLE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
    now: Callable[[], float] = time.time,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> int:
    """Print a stream, one event a line, until it is refused or nobody reads on.

    Args:
        url: see :func:`stream_url`.
        task_id: show only the events of this task; its first characters will do.
        as_json: a JSON object a line instead of a line for people.
        out: where the events go; standard output by default.
        err: where everything else goes; standard error by default.
        idle_seconds: a stream silent for so long is given up and connected to again.
        sleep: waits for seconds.
        chance: a number from 0.0 to 1.0.
        now: seconds since the epoch.
        new_id: makes a request id.

    Returns:
        The exit status: 0 after Ctrl-C or when the reader of ``out`` went away, 1 if there is
        no such stream.
    """
    out, err = out or sys.stdout, err or sys.stderr
    render = json_line if as_json else human_line

    def show(message: Message) -> None:
        if task_id is None or message.is_of_task(task_id):
            _write(out, render(message, now()))

    try:
        target = stream_url(url, new_id())
    except ValueError as exc:
        _write(err, f"watch: {printable(str(exc))}")
        return 1
    try:
        # Imported late: requests loads ssl, which gevent must have patched first if the command
        # that runs is another one, ``serve``.
        from app.watch.connection import SSEConnection, StreamRefused

        with SSEConnection(target, idle_seconds=idle_seconds, now=now) as connection:
            try:
                _follow(connection, show, err, sleep, chance)
            except StreamRefused as exc:
                _write(err, f"watch: {_shown(target)} {printable(str(exc))}")
                return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        for stream in (out, err):
            _discard(stream)
        return 0
    except OSError as exc:  # a full disk behind the output
        for stream in (out, err):
            _discard(stream)
        with contextlib.suppress(OSError):
            _write(err, f"watch: cannot write: {exc.strerror}")
        return 1


def _follow(
    connection: SSEConnection,
    show: Callable[[Message], None],
    err: TextIO,
    sleep: Callable[[float], None],
    chance: Callable[[], float],
) -> NoReturn:
    """Show one stream after the other.

    Raises:
        StreamRefused: there is no such stream.
    """
    from app.watch.connection import StreamLost

    failures = 0
    while True:
        retry_after = None
        try:
            connection.open()
        except StreamLost as exc:
            failures += 1
            why, retry_after = str(exc), exc.retry_after
        else:
            failures = 0
            _write(err, f"watch: connected to {_shown(connection.url)}")
            why = _show_stream(connection, show)
        pause = pause_seconds(failures, connection.retry_seconds, chance(), retry_after)
        _write(err, f"watch: {printable(why)}; connecting again in {pause:.1f} s")
        sleep(pause)


def _show_stream(connection: SSEConnection, show: Callable[[Message], None]) -> str:
    """Show one stream's events to its end, and say why it ended.

    Raises:
        StreamRefused: the *envelope* dialect refuses inside the stream.
    """
    from app.watch.connection import StreamLost, StreamRefused

    why, reason = "the server ended the stream", ""
    try:
        for event in connection.events():
            message = read_message(event)
            show(message)
            match message:
                case Message(name="rejected", data={"status": status, "message": text}):
                    raise StreamRefused(f"rejected us: {status} {text}")
                case Message(name="server_restart" | "connection_close", data={"reason": text}):
                    reason = f" ({text})"
    except StreamLost as exc:
        why = str(exc)
    return why + reason


def _shown(url: str) -> str:
    """The URL without its password, if it has one."""
    parts = urlsplit(url)
    return printable(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))


def _write(stream: TextIO, line: str) -> None:
    """Write a line and flush it, whatever characters the stream can show.

    Raises:
        BrokenPipeError: nobody reads it any more.
    """
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _discard(stream: TextIO) -> None:
    """Lead a stream that nobody reads into nothing: Python flushes it once more at its end."""
    with contextlib.suppress(OSError):
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


@click.command("watch", short_help="Print an event stream as it comes.")
@click.argument("url")
@click.option("--task", "task_id", metavar="ID", help="Only this task; its first characters do.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, nothing cut.")
@click.option(
    "--idle",
    "idle_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=_IDLE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Connect again after this long without a byte; more than the server's heartbeat.",
)
def watch_command(url: str, task_id: str | None, as_json: bool, idle_seconds: float) -> None:
    """Print the stream at URL as it comes, one event a line, until Ctrl-C.

    URL may be just a server, as in http://127.0.0.1:5000: the path of its stream and a request
    id are then filled in. A stream that breaks is connected to again.
    """
    sys.exit(watch(url, task_id, as_json, idle_seconds=idle_seconds))
