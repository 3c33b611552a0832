"""The section tls: the cost of streams over TLS without a proxy, compared with plain streams.

Beside it, in the same run, the limit: a bare loop that writes the same event to sessions of
:mod:`ssl`, compared with one that sends it on plain sockets.
"""

from __future__ import annotations

from typing import Any

from app.bench.bursts import (
    BARE_SENDER,
    CROWD,
    REST_SECONDS,
    SECONDS,
    open_streams,
    run_burst,
    timed,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import cpu_nanoseconds, kib_each, resident_bytes

__all__ = ["measure"]

_CROWD = "app.bench.clients.tls_crowd"


def measure(context: BenchContext) -> None:
    """Measure memory per stream, deliveries per second, over TLS and plain in turn, and connects.

    Raises:
        BenchFailed: there is no certificate, or a session was not resumed.
    """
    if context.certificate is None:
        raise BenchFailed("the section tls needs --certfile and --keyfile")
    certfile, keyfile = context.certificate
    streams = context.plan.tls_streams
    events = max(context.plan.deliveries // streams // 4, 4)
    context.tell(f"TLS: {streams:,} streams")
    encrypted, plain, cpu = [], [], {True: 0, False: 0}
    with (
        MeasuredBackend(CERTFILE=certfile, KEYFILE=keyfile) as server,
        Helper(_CROWD) as crowd,
        MeasuredBackend() as plain_server,
        Helper(CROWD) as plain_crowd,
    ):
        before = resident_bytes(server.worker)
        full = _connect(server, crowd, streams)
        memory = kib_each(resident_bytes(server.worker) - before, streams)
        open_streams(plain_crowd, plain_server.port, streams)
        for _ in range(context.plan.repetitions):
            used = cpu_nanoseconds(server.worker), cpu_nanoseconds(plain_server.worker)
            encrypted.append(_burst(server, crowd, streams, events))
            plain.append(run_burst(plain_server, plain_crowd, streams, events).per_second)
            cpu[True] += cpu_nanoseconds(server.worker) - used[0]
            cpu[False] += cpu_nanoseconds(plain_server.worker) - used[1]
        crowd.call("close")
        resumed = _connect(server, crowd, streams, resume=True)
        crowd.call("close")
        plain_crowd.call("cut")
        limits = _bare_ratios(context, crowd, plain_crowd, certfile, keyfile)
    if resumed["resumed"] != streams:
        raise BenchFailed(f"{resumed['resumed']} of {streams} TLS sessions were resumed")
    add = context.results.add
    add("tls_per_second", f"TLS, {streams:,} streams", encrypted, "deliveries/s")
    ratios = [each / other for each, other in zip(encrypted, plain, strict=True)]
    add("tls_of_plain", "TLS, rate relative to plain streams", ratios, "x")
    ratio = cpu[False] / max(cpu[True], 1)
    add("tls_cpu_of_plain", "the same by the CPU of the server alone", ratio, "x")
    add("tls_bare_of_plain", "a bare loop over TLS sessions, relative to plain sends", limits, "x")
    add("tls_memory_kib", "TLS, memory per stream", memory, "KiB")
    for key, name, done in (
        ("tls", "TLS, connects one after the other", full),
        ("tls_resumed", "the same when sessions are resumed", resumed),
    ):
        add(f"{key}_connects_per_second", name, streams / done["seconds"], "/s")
        cpu_ms = done["cpu_ns"] / streams / 1e6
        add(f"{key}_connect_cpu_ms", "CPU of the server per such connect", cpu_ms, "ms")


def _bare_ratios(
    context: BenchContext, crowd: Helper, plain_crowd: Helper, certfile: str, keyfile: str
) -> list[float]:
    """Return the CPU time of a bare loop of plain sends, relative to one over TLS, in turn."""
    streams = context.plan.tls_streams
    events = max(context.plan.deliveries // streams // 4, 4)
    context.tell("TLS: the limit of a bare loop")
    with Helper(BARE_SENDER) as encrypted, Helper(BARE_SENDER) as plain:
        crowd.begin("attach", port=encrypted.call("port"), count=streams, seconds=SECONDS)
        encrypted.call("accept", count=streams, certfile=certfile, keyfile=keyfile)
        crowd.finish()
        plain_crowd.begin("attach", port=plain.call("port"), count=streams)
        plain.call("accept", count=streams)
        plain_crowd.finish()
        ratios = []
        for _ in range(context.plan.repetitions):
            cpu = []
            for sender, readers in ((plain, plain_crowd), (encrypted, crowd)):
                frames = streams * events
                readers.begin("read", frames=frames, seconds=SECONDS, rest=REST_SECONDS)
                cpu.append(sender.call("send", events=events)["cpu_seconds"])
                readers.finish()
            ratios.append(cpu[0] / cpu[1])
    return ratios


def _connect(
    server: MeasuredBackend, crowd: Helper, streams: int, *, resume: bool = False
) -> dict[str, Any]:
    """Open streams, and return what this took (:meth:`TlsCrowd.open`), and the server's CPU."""
    before = cpu_nanoseconds(server.worker)
    answer: dict[str, Any] = crowd.call(
        "open", port=server.port, count=streams, seconds=SECONDS, resume=resume
    )
    return answer | {"cpu_ns": cpu_nanoseconds(server.worker) - before}


def _burst(server: MeasuredBackend, crowd: Helper, streams: int, events: int) -> float:
    """Run a burst like :func:`app.bench.bursts.run_burst`, and return the deliveries a second."""
    crowd.begin("read", frames=streams * (events + 2), seconds=SECONDS, rest=REST_SECONDS)
    task_id = server.start_burst(events)
    seen = crowd.finish()
    started_ns = server.burst_result(task_id)["started_ns"]
    return timed(seen, started_ns, streams * (events + 1)).per_second
