"""The sizes of a run: the numbers of streams, events and repetitions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.bench.errors import BenchFailed
from gateway_shim.server.options import REQUEST_CONNECTIONS
from gateway_shim.server.process.descriptors import streams_allowed

__all__ = ["Plan", "fit", "full", "quick"]

_OTHER_DESCRIPTORS = 300
"""The descriptors that a process needs beside its streams; the gateway keeps some in reserve."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run.

    Args:
        streams: the number of streams for most figures.
        many: the largest number of streams, for memory, idle streams and the cost of a delivery.
        few: the number of streams whose cost of a delivery is compared with that of ``many``.
        between: further numbers of streams, for the curves.
        deliveries: the number of deliveries in a burst, over all streams.
        events: the number of events in a burst; None derives it from ``deliveries``.
        repetitions: the number of bursts of each kind, which are run in turn.
        single_events: the number of events to the only stream of an idle server.
        heartbeat_seconds: the interval of the heartbeats of idle streams.
        idle_seconds: the time for which idle streams are watched: a number of whole intervals.
        http_streams: the number of streams on the HTTP path.
        http_events: the number of events in a burst on the HTTP path.
        http_repetitions: the number of bursts of each kind on the HTTP path.
        tls_streams: the number of streams in the section tls.
        missed_events: the number of events that each client misses before it resumes.
        resume_rounds: the number of times that all clients resume.
        appends: the number of appends to each kind of event log.
        bus_events: the number of events in a burst whose cost in Redis is measured.
        judged: whether the run is large enough to be judged by the goals.
    """

    streams: int
    many: int
    few: int
    between: tuple[int, ...]
    deliveries: int
    events: int | None
    repetitions: int
    single_events: int
    heartbeat_seconds: int
    idle_seconds: int
    http_streams: int
    http_events: int
    http_repetitions: int
    tls_streams: int
    missed_events: int
    resume_rounds: int
    appends: int
    bus_events: int
    judged: bool

    @property
    def steps(self) -> list[int]:
        """The numbers of streams, in rising order."""
        wanted = {self.few, *self.between, self.streams, self.many}
        return sorted(step for step in wanted if step <= self.many)

    def events_for(self, streams: int) -> int:
        """Return the number of events in a burst to this number of streams."""
        return self.events or max(self.deliveries // streams, 4)


def full(streams: int, events: int | None) -> Plan:
    """Make the plan of a full run, which takes about ten minutes.

    Args:
        streams: the number of streams; the goals are for 5,000.
        events: the number of events in a burst, or None.
    """
    return Plan(
        streams=streams,
        many=2 * streams,
        few=max(streams // 50, 2),
        between=(streams // 5, streams // 2),
        deliveries=200_000,
        events=events,
        repetitions=5,
        single_events=600,
        heartbeat_seconds=15,
        idle_seconds=30,
        http_streams=min(streams, 500),
        http_events=3,
        http_repetitions=3,
        tls_streams=min(streams, 500),
        missed_events=100,
        resume_rounds=3,
        appends=100_000,
        bus_events=4000,
        judged=streams >= 5000,
    )


def quick(streams: int | None, events: int | None) -> Plan:
    """Make the plan of a short run of about a minute, which is not judged by the goals."""
    plan = full(streams or 200, events)
    return replace(
        plan,
        between=(),
        deliveries=10_000,
        repetitions=2,
        single_events=100,
        heartbeat_seconds=1,
        idle_seconds=2,
        http_streams=min(plan.streams, 40),
        http_events=1,
        http_repetitions=1,
        tls_streams=min(plan.streams, 40),
        missed_events=10,
        resume_rounds=1,
        appends=2000,
        bus_events=320,
        judged=False,
    )


def fit(plan: Plan, descriptors: int) -> tuple[Plan, str | None]:
    """Make a plan smaller if the limit on descriptors requires it.

    Args:
        plan: the wanted plan.
        descriptors: the number of descriptors that each process may have.

    Returns:
        The possible plan, and a message about the change, or None.

    Raises:
        BenchFailed: the limit is too low for any run.
    """
    allowed = streams_allowed(descriptors, REQUEST_CONNECTIONS)  # by the server
    room = min(descriptors - _OTHER_DESCRIPTORS, allowed)
    if plan.many <= room:
        return plan, None
    if room < 100:
        raise BenchFailed(
            f"a process may have only {descriptors} descriptors;"
            " raise the limit with: ulimit -n 20000"
        )
    streams = min(plan.streams, room)
    needed = plan.many + _OTHER_DESCRIPTORS + REQUEST_CONNECTIONS
    message = (
        f"a process may have {descriptors:,} descriptors, so {plan.many:,} streams become"
        f" {room:,}; raise the limit with: ulimit -n {needed}"
    )
    between = tuple(step for step in plan.between if step < streams)
    return replace(plan, streams=streams, many=room, between=between, judged=False), message
