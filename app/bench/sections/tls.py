"""Streams over TLS without a proxy: what they cost beside plain ones."""

from __future__ import annotations

from statistics import median

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
from app.bench.measured.process_figures import resident_bytes
from app.bench.measured.server import Monolith
from app.bench.stage import CROWD, SECONDS, Burst, Stage, open_streams, run_burst, timed

__all__ = ["measure"]

_CROWD = "app.bench.clients.tls_crowd"


def measure(stage: Stage) -> None:
    """Measure memory per stream and deliveries/s, over TLS and plain in turn.

    Raises:
        BenchFailed: there is no certificate to measure with.
    """
    if stage.certificate is None:
        raise BenchFailed("the section tls needs --certfile and --keyfile")
    certfile, keyfile = stage.certificate
    streams = stage.plan.tls_streams
    events = max(stage.plan.deliveries // streams // 4, 4)
    stage.tell(f"TLS: {streams:,} streams")
    encrypted, plain = [], []
    with (
        Monolith(CERTFILE=certfile, KEYFILE=keyfile) as server,
        Helper(_CROWD) as crowd,
        Monolith() as plain_server,
        Helper(CROWD) as plain_crowd,
    ):
        before = resident_bytes(server.worker)
        opened = crowd.call("open", port=server.port, count=streams, seconds=SECONDS)
        memory = (resident_bytes(server.worker) - before) / streams
        open_streams(plain_crowd, plain_server.port, streams)
        for _ in range(stage.plan.repetitions):
            encrypted.append(_burst(server, crowd, streams, events).per_second)
            plain.append(run_burst(plain_server, plain_crowd, streams, events).per_second)
    add = stage.results.add
    add("tls_per_second", f"TLS, {streams:,} streams", encrypted, "deliveries/s")
    add(
        "tls_of_plain", "against plain streams, same events", median(encrypted) / median(plain), "x"
    )
    add("tls_memory_kib", "TLS, memory per stream", memory / 1024, "KiB")
    add(
        "tls_connects_per_second",
        "TLS, connects one after the other",
        streams / opened["seconds"],
        "/s",
    )


def _burst(server: Monolith, crowd: Helper, streams: int, events: int) -> Burst:
    """As :func:`app.bench.stage.run_burst`, for clients that do not rest between two looks."""
    crowd.begin("read", frames=streams * (events + 2), seconds=SECONDS)
    task_id = server.start_burst(events)
    seen = crowd.finish()
    started_ns = server.burst_result(task_id)["started_ns"]
    return timed(seen, started_ns, streams * (events + 1))
