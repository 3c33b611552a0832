"""The rules about streams and about what they get. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.console.operations.advice import Advice, Level
from app.console.operations.history import (
    LOSS_SECONDS,
    NEARLY_FULL,
    RECENT_SECONDS,
    History,
    log_of,
    of_gateway,
    of_log,
)
from app.console.operations.limits import OperationsLimits
from app.console.operations.words import count, is_or_are, size
from gateway_shim.streams.stats import FAR_BEHIND_BYTES

__all__ = ["STREAM_RULES"]


def _unreachable_gateway(history: History, _: OperationsLimits) -> Iterator[Advice]:
    problem = history.newest.gateway_problem
    if problem is not None and history.newest.gateway is None:
        text = f"{problem}. Until it is ready, events do not reach the browsers."
        yield Advice("gateway_problem", Level.BAD, text)


def _unreachable_bus(history: History, _: OperationsLimits) -> Iterator[Advice]:
    problem = history.newest.gateway_problem
    if problem is not None and history.newest.gateway is not None:
        yield Advice(
            "bus_problem",
            Level.BAD,
            f"{problem}. Until it is ready, new events fail, and those of other servers do not"
            " arrive; streams stay open. The server's log has the reason.",
        )


def _failed_appends(history: History, _: OperationsLimits) -> Iterator[Advice]:
    failed = history.increase(lambda sample: sample.appends_failed, LOSS_SECONDS)
    if failed:
        yield Advice(
            "appends_failed",
            Level.BAD,
            f"{count(failed, 'event')} {'was' if failed == 1 else 'were'} lost in the last five"
            " minutes, because the event log did not take"
            f" {'it' if failed == 1 else 'them'}. The server's log has the reason.",
        )


def _nearly_all_streams(history: History, limits: OperationsLimits) -> Iterator[Advice]:
    streams = history.newest.streams
    if limits.max_streams is None or streams < NEARLY_FULL * limits.max_streams:
        return
    is_full = streams >= limits.max_streams
    yield Advice(
        "max_streams",
        Level.BAD if is_full else Level.WARNING,
        f"{count(streams, 'stream')} {is_or_are(streams)} open, which is"
        f" {streams / limits.max_streams:.0%} of the limit of {limits.max_streams:,}."
        f" {'Further' if is_full else 'Beyond the limit,'} streams are refused. Raise"
        " SSE_MAX_CONNECTIONS and the limit on file descriptors.",
    )


def _resyncs(history: History, _: OperationsLimits) -> Iterator[Advice]:
    resyncs = history.increase(of_log(lambda log: log.resyncs), RECENT_SECONDS)
    if resyncs:
        yield Advice(
            "resyncs",
            Level.WARNING,
            f"{count(resyncs, 'stream')} {'was' if resyncs == 1 else 'were'} told to resync in the"
            " last minute: events that they had missed were no longer in the log.",
        )


def _far_behind(history: History, _: OperationsLimits) -> Iterator[Advice]:
    log = log_of(history.newest)
    if log is not None and log.streams_far_behind:
        streams = log.streams_far_behind
        clients = "Its client reads" if streams == 1 else "Their clients read"
        yield Advice(
            "far_behind",
            Level.WARNING,
            f"{count(streams, 'stream')} {is_or_are(streams)} more than {size(FAR_BEHIND_BYTES)}"
            f" behind, at most {size(log.bytes_behind)}. {clients} too slowly, or not at all.",
        )


def _slow_consumers(history: History, limits: OperationsLimits) -> Iterator[Advice]:
    ended = history.increase(of_gateway(lambda own: own.slow_consumers_ended), RECENT_SECONDS)
    if ended:
        yield Advice(
            "slow_consumers",
            Level.WARNING,
            f"{count(ended, 'stream')} {'was' if ended == 1 else 'were'} ended in the last minute,"
            " because too much was waiting for a slow client. See SSE_MAX_BUFFER_BYTES.",
        )
    gateway = history.newest.gateway
    if gateway is not None and gateway.bytes_buffered >= NEARLY_FULL * limits.max_buffer_bytes:
        yield Advice(
            "buffers",
            Level.WARNING,
            f"{size(gateway.bytes_buffered)} wait for slow clients; the limit is"
            f" {size(limits.max_buffer_bytes)} (SSE_MAX_TOTAL_BUFFER_BYTES). Beyond it, the streams"
            " for which most is waiting are ended.",
        )


def _failed_callbacks(history: History, _: OperationsLimits) -> Iterator[Advice]:
    failed = history.increase(of_gateway(lambda own: own.callbacks_failed), LOSS_SECONDS)
    if failed:
        yield Advice(
            "callbacks_failed",
            Level.WARNING,
            f"{count(failed, 'disconnect')} could not be reported in the last five minutes. The"
            " server's log has the reason.",
        )


STREAM_RULES: tuple[Callable[[History, OperationsLimits], Iterator[Advice]], ...] = (
    _unreachable_gateway,
    _unreachable_bus,
    _failed_appends,
    _nearly_all_streams,
    _resyncs,
    _far_behind,
    _slow_consumers,
    _failed_callbacks,
)
"""The rules, each of which yields its advice."""
