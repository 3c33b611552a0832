"""The section http: broadcasts through a gateway on a port, with one POST per stream."""

from __future__ import annotations

from app.bench.bursts import CROWD, open_streams, run_burst
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.gateway import measured_gateway
from gateway_shim.parity.ports import free_port

__all__ = ["measure"]

_SIDE_BY_SIDE = 16
_TIME_LIMIT_SECONDS = 60


def measure(context: BenchContext) -> None:
    """Measure the HTTP path with one POST at a time and with several, and compare the results."""
    name = "the shim" if context.gateway_command is None else context.gateway_command.split()[0]
    streams = f"{context.plan.http_streams:,} streams"
    serial = context.results.add(
        "http_serial_per_second",
        f"HTTP: {name}, {streams}, one POST at a time",
        _rates(context, 1),
        "deliveries/s",
    )
    context.results.add(
        "http_parallel_per_second",
        f"HTTP: {name}, {streams}, {_SIDE_BY_SIDE} at a time",
        _rates(context, _SIDE_BY_SIDE),
        "deliveries/s",
    )
    ours = context.results.value("fan_out_per_second")
    if ours is not None:
        context.results.add(
            "fan_out_to_http", "in-process, relative to HTTP with one POST at a time", ours / serial
        )


def _rates(context: BenchContext, concurrency: int) -> list[float]:
    port, streams = free_port(), context.plan.http_streams
    backend = MeasuredBackend(
        SSE_GATEWAY_URL=f"http://127.0.0.1:{port}",
        SSE_GATEWAY_CONCURRENCY=str(concurrency),
        SSE_GATEWAY_TIMEOUT_SECONDS=str(_TIME_LIMIT_SECONDS),
    )
    callback_url = f"http://127.0.0.1:{backend.port}/api/sse/callback"
    rates = []
    with (
        backend,
        measured_gateway(context.gateway_command, port, callback_url) as front,
        Helper(CROWD) as crowd,
    ):
        context.tell(f"HTTP: opening {streams:,} streams")
        open_streams(crowd, front.port, streams)
        for repetition in range(context.plan.http_repetitions):
            context.tell(f"HTTP: {concurrency} at a time, {repetition + 1}")
            rates.append(run_burst(backend, crowd, streams, context.plan.http_events).per_second)
        crowd.call("cut")
        crowd.close()
    return rates
