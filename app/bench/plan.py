"""How much is measured: the numbers of streams, events and repetitions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.bench.errors import BenchFailed
from gateway_shim.server.options import REQUEST_CONNECTIONS
from gateway_shim.server.process.descriptors import streams_allowed

__all__ = ["Plan", "fit", "full", "quick"]

_OTHER_DESCRIPTORS = 300
"""What a process with that many streams needs besides; the gateway keeps some in reserve."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run's sizes.

    Args:
        streams: the number that most figures are about.
        many: the largest number; memory, idle streams, and cost per delivery.
        few: the number that the cost per delivery with ``many`` is compared with.
        between: further numbers, for the curves.
        deliveries: of one burst, spread over its streams.
        events: of one burst; None: as many as ``deliveries`` says.
        repetitions: bursts of each kind, in turn.
        single_events: events to the one stream of an idle server.
        heartbeat_seconds: the interval of the idle streams' heartbeats.
        idle_seconds: how long they are watched: whole intervals.
        http_streams: streams of the HTTP path.
        http_events: events of its burst.
        http_repetitions: bursts of each kind there.
        tls_streams: streams of the section tls.
        judged: whether the run is large enough for the goals.
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
    judged: bool

    @property
    def steps(self) -> list[int]:
        """The numbers of streams, rising."""
        wanted = {self.few, *self.between, self.streams, self.many}
        return sorted(step for step in wanted if step <= self.many)

    def events_for(self, streams: int) -> int:
        """How many events a burst to so many streams has."""
        return self.events or max(self.deliveries // streams, 4)


def full(streams: int, events: int | None) -> Plan:
    """A run whose figures count: about four minutes.

    Args:
        streams: what the goals set at 5,000.
        events: of one burst.
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
        judged=streams >= 5000,
    )


def quick(streams: int | None, events: int | None) -> Plan:
    """A short run, to see that everything works: half a minute. Not judged by the goals."""
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
        judged=False,
    )


def fit(plan: Plan, descriptors: int) -> tuple[Plan, str | None]:
    """Make a plan smaller if the limit on descriptors asks for it.

    Args:
        plan: what was wanted.
        descriptors: how many each process may have.

    Returns:
        The plan that can be carried out, and what had to change, for a person.

    Raises:
        BenchFailed: not even a small one fits.
    """
    allowed = streams_allowed(descriptors, REQUEST_CONNECTIONS)  # by the server
    room = min(descriptors - _OTHER_DESCRIPTORS, allowed)
    if plan.many <= room:
        return plan, None
    if room < 100:
        raise BenchFailed(f"a process may have {descriptors} descriptors only; try ulimit -n 20000")
    streams = min(plan.streams, room)
    needed = plan.many + _OTHER_DESCRIPTORS + REQUEST_CONNECTIONS
    message = (
        f"a process may have {descriptors:,} descriptors, so {plan.many:,} streams become"
        f" {room:,}; raise the limit with: ulimit -n {needed}"
    )
    between = tuple(step for step in plan.between if step < streams)
    return replace(plan, streams=streams, many=room, between=between, judged=False), message
