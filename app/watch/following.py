"""Follow a stream: show its events, and reconnect and resume whenever it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

from app.watch.catch_up import CatchUp, missed_events
from app.watch.connection import SSEConnection, StreamLost, StreamRefused
from app.watch.event_lines import Message, read_message

__all__ = ["follow", "pause_seconds", "without_password"]

_RETRY_SECONDS = 1.0
_SHORTEST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 300.0
_LONGEST_GROWN_PAUSE_SECONDS = 30.0


def pause_seconds(
    failures: int, retry: float | None, chance: float, retry_after: float | None = None
) -> float:
    """Return how many seconds to wait before the next attempt to connect.

    The pause doubles with every failure. Up to half of the pause is added at random, so that the
    clients of a server that went down do not all reconnect at the same moment.

    Args:
        failures: the number of failed attempts since the last stream.
        retry: the wait that the server's ``retry:`` asked for, seconds; the pause is not shorter.
        chance: a random number from 0.0 to 1.0.
        retry_after: the wait that the last answer's ``Retry-After`` asked for, seconds; the pause
            is not shorter. More than five minutes count as five minutes, in both cases.
    """
    base = _RETRY_SECONDS if retry is None else retry
    base = min(max(base, _SHORTEST_RETRY_SECONDS), _LONGEST_RETRY_SECONDS)
    grown = min(base * 2.0 ** min(failures, 16), max(base, _LONGEST_GROWN_PAUSE_SECONDS))
    if retry_after is not None:
        grown = max(grown, min(retry_after, _LONGEST_RETRY_SECONDS))
    return grown * (1 + chance / 2)


def follow(
    connection: SSEConnection,
    show: Callable[[Message], None],
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None],
    chance: Callable[[], float],
    ticks: Callable[[], float],
) -> NoReturn:
    """Show the events of a stream, and reconnect and resume whenever it ends.

    Args:
        connection: the connection, not opened yet.
        show: shows an event.
        say: shows a text that is not an event.
        sleep: waits for a number of seconds.
        chance: returns a random number from 0.0 to 1.0.
        ticks: returns monotonic seconds.

    Raises:
        StreamRefused: the server refuses the stream.
    """
    failures = 0
    catch_up = CatchUp()
    while True:
        retry_after = None
        try:
            connection.open()
        except StreamLost as exc:
            failures += 1
            reason, retry_after = str(exc), exc.retry_after
        else:
            failures = 0
            say(f"connected to {without_password(connection.url)}")
            if connection.last_id:
                catch_up.begin(ticks())
            reason = _show_stream(connection, show, say, catch_up, ticks)
        pause = pause_seconds(failures, connection.retry_seconds, chance(), retry_after)
        say(f"{reason}; reconnecting in {pause:.1f} s")
        sleep(pause)


def without_password(url: str) -> str:
    """Return the URL, for a message, without its user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _show_stream(
    connection: SSEConnection,
    show: Callable[[Message], None],
    say: Callable[[str], None],
    catch_up: CatchUp,
    ticks: Callable[[], float],
) -> str:
    """Show the events of an open stream to its end.

    Returns:
        The reason for the end.

    Raises:
        StreamRefused: the server refuses the stream with an event, as the *envelope* dialect does.
    """

    def report(count: int) -> None:
        if count:
            say(f"caught up with {count} event{'s' * (count != 1)}")

    reason, announced = "the server ended the stream", ""
    try:
        for events in connection.pieces():
            report(catch_up.take_piece(ticks()))
            for event in events:
                report(catch_up.take_event(event))
                message = read_message(event)
                show(message)
                match message:
                    case Message(name="rejected", data={"status": status, "message": text}):
                        raise StreamRefused(f"rejected the stream: {status} {text}")
                    case Message(name="resync", data={"reason": text}):
                        say(missed_events(str(text)))
                    case Message(name="server_restart" | "connection_close", data={"reason": text}):
                        announced = f" ({text})"
    except StreamLost as exc:
        reason = str(exc)
    return reason + announced
