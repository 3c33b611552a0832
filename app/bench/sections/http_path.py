"""The same broadcast through a gateway on a port: one POST per stream."""

from __future__ import annotations

from app.bench.clients.helper import Helper
from app.bench.measured.server import Monolith, gateway
from app.bench.stage import CROWD, Stage, open_streams, run_burst
from gateway_shim.parity.ports import free_port

__all__ = ["measure"]

_SIDE_BY_SIDE = 16
_TIME_LIMIT_SECONDS = 60


def measure(stage: Stage) -> None:
    """Measure the HTTP path, one POST at a time and several, and compare with the in-process."""
    name = "the shim" if stage.gateway_command is None else stage.gateway_command.split()[0]
    streams = f"{stage.plan.http_streams:,} streams"
    serial = stage.results.add(
        "http_serial_per_second",
        f"HTTP: {name}, {streams}, one POST at a time",
        _rates(stage, 1),
        "deliveries/s",
    )
    stage.results.add(
        "http_parallel_per_second",
        f"HTTP: {name}, {streams}, {_SIDE_BY_SIDE} at a time",
        _rates(stage, _SIDE_BY_SIDE),
        "deliveries/s",
    )
    ours = stage.results.value("fan_out_per_second")
    if ours is not None:
        stage.results.add(
            "fan_out_to_http", "in-process to HTTP, one POST at a time", ours / serial
        )


def _rates(stage: Stage, concurrency: int) -> list[float]:
    port, streams = free_port(), stage.plan.http_streams
    backend = Monolith(
        SSE_GATEWAY_URL=f"http://127.0.0.1:{port}",
        SSE_GATEWAY_CONCURRENCY=str(concurrency),
        SSE_GATEWAY_TIMEOUT_SECONDS=str(_TIME_LIMIT_SECONDS),
    )
    callback_url = f"http://127.0.0.1:{backend.port}/api/sse/callback"
    rates = []
    with (
        backend,
        gateway(stage.gateway_command, port, callback_url) as front,
        Helper(CROWD) as crowd,
    ):
        stage.tell(f"HTTP: opening {streams:,} streams")
        open_streams(crowd, front.port, streams)
        for repetition in range(stage.plan.http_repetitions):
            stage.tell(f"HTTP: {concurrency} at a time, {repetition + 1}")
            rates.append(run_burst(backend, crowd, streams, stage.plan.http_events).per_second)
        crowd.call("cut")
        crowd.close()
    return rates
