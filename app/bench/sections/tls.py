"""The section tls: the cost of streams over TLS without a proxy, compared with plain streams."""

from __future__ import annotations

from statistics import median

from app.bench.bursts import CROWD, SECONDS, TimedBurst, open_streams, run_burst, timed
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import kib_each, resident_bytes

__all__ = ["measure"]

_CROWD = "app.bench.clients.tls_crowd"


def measure(context: BenchContext) -> None:
    """Measure memory per stream and deliveries per second, over TLS and plain in turn.

    Raises:
        BenchFailed: there is no certificate.
    """
    if context.certificate is None:
        raise BenchFailed("the section tls needs --certfile and --keyfile")
    certfile, keyfile = context.certificate
    streams = context.plan.tls_streams
    events = max(context.plan.deliveries // streams // 4, 4)
    context.tell(f"TLS: {streams:,} streams")
    encrypted, plain = [], []
    with (
        MeasuredBackend(CERTFILE=certfile, KEYFILE=keyfile) as server,
        Helper(_CROWD) as crowd,
        MeasuredBackend() as plain_server,
        Helper(CROWD) as plain_crowd,
    ):
        before = resident_bytes(server.worker)
        opened = crowd.call("open", port=server.port, count=streams, seconds=SECONDS)
        memory = kib_each(resident_bytes(server.worker) - before, streams)
        open_streams(plain_crowd, plain_server.port, streams)
        for _ in range(context.plan.repetitions):
            encrypted.append(_burst(server, crowd, streams, events).per_second)
            plain.append(run_burst(plain_server, plain_crowd, streams, events).per_second)
    add = context.results.add
    add("tls_per_second", f"TLS, {streams:,} streams", encrypted, "deliveries/s")
    add(
        "tls_of_plain",
        "TLS, rate relative to plain streams",
        median(encrypted) / median(plain),
        "x",
    )
    add("tls_memory_kib", "TLS, memory per stream", memory, "KiB")
    add(
        "tls_connects_per_second",
        "TLS, connects one after the other",
        streams / opened["seconds"],
        "/s",
    )


def _burst(server: MeasuredBackend, crowd: Helper, streams: int, events: int) -> TimedBurst:
    """Run a burst like :func:`app.bench.bursts.run_burst`, for clients that do not pause."""
    crowd.begin("read", frames=streams * (events + 2), seconds=SECONDS)
    task_id = server.start_burst(events)
    seen = crowd.finish()
    started_ns = server.burst_result(task_id)["started_ns"]
    return timed(seen, started_ns, streams * (events + 1))
