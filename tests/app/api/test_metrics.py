"""``GET /metrics`` and ``GET /api/gateway``."""

from __future__ import annotations

from typing import Any

import pytest

from app.schemas.gateway_schema import GatewayStateResponse
from gateway_shim.event_log.log import LogStats
from gateway_shim.protocol.callbacks import Reason
from gateway_shim.streams.refusal_counts import RefusalReason
from gateway_shim.streams.stats import CLIENT_STALLED, GatewayStats
from tests.app.conftest import MakeApp


class FakeGateway:
    """A gateway with the figures of a test."""

    def __init__(self, stats: GatewayStats, last_event_id: str | None) -> None:
        self._stats = stats
        self.last_event_id = last_event_id

    def read_stats(self) -> GatewayStats:
        """Return the figures."""
        return self._stats


def answer_of(make_app: MakeApp, stats: GatewayStats, cursor: str | None) -> dict[str, Any]:
    """Return the answer of an application whose gateway has these figures."""
    app = make_app()
    container = app.extensions["container"]
    container.gateway.override(FakeGateway(stats, cursor))
    container.refusals().add(RefusalReason.CROSS_SITE)
    answer = app.test_client().get("/api/gateway")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    GatewayStateResponse.model_validate_json(answer.data)
    values: dict[str, Any] = answer.json
    return values


def test_the_state_without_a_log(make_app: MakeApp) -> None:
    """The answer has the streams, the counters, and all reasons; the log is null."""
    stats = GatewayStats(
        active=1,
        bytes_buffered=2,
        pending_connects=3,
        opened=4,
        refused=5,
        slow_consumers_ended=6,
        heartbeats=7,
        callbacks_failed=8,
    )
    stats.closed[Reason.ERROR] = 9
    answer = answer_of(make_app, stats, None)
    refused = answer.pop("requests_refused")
    assert answer == {
        "streams": 1,
        "pending_connects": 3,
        "bytes_buffered": 2,
        "opened": 4,
        "refused": 5,
        "closed": dict.fromkeys([*Reason, CLIENT_STALLED], 0) | {"error": 9},
        "slow_consumers_ended": 6,
        "heartbeats": 7,
        "callbacks_failed": 8,
        "log": None,
    }
    assert refused == dict.fromkeys(RefusalReason, 0) | {"cross_site": 1}


def test_the_state_of_the_log(make_app: MakeApp) -> None:
    """With a log, the answer has its extent, its readers, and the cursor."""
    stats = GatewayStats(
        joiners=1, streams_behind=2, bytes_behind=3, log=LogStats(4, 5, 6, 7.0, in_memory=False)
    )
    stats.resyncs["lagging"] = 8
    log = answer_of(make_app, stats, "epoch-5")["log"]
    assert log.pop("resyncs").items() >= {"lagging": 8}.items()
    assert log == {
        "last_event_id": "epoch-5",
        "oldest_position": 4,
        "newest_position": 5,
        "bytes": 6,
        "oldest_age_seconds": 7.0,
        "in_memory": False,
        "joiners": 1,
        "streams_behind": 2,
        "behind_bytes": 3,
    }


def test_a_real_gateway(make_app: MakeApp) -> None:
    """The gateway of an application that does not serve yet can be read."""
    answer = make_app().test_client().get("/api/gateway")
    assert GatewayStateResponse.model_validate_json(answer.data).streams == 0


def test_streams_in_another_process(make_app: MakeApp) -> None:
    """With SSE_GATEWAY_URL there is no gateway here: 404 with the reason, and no password."""
    answer = make_app(sse_gateway_url="http://me:pw@gw:1").test_client().get("/api/gateway")
    assert (answer.status_code, "SSE_GATEWAY_URL" in answer.text) == (404, True)
    assert "pw" not in answer.text


@pytest.mark.parametrize(("allow_open", "status"), [("", 404), ("tasks", 404), ("metrics", 200)])
def test_production_serves_it_like_the_metrics(
    make_app: MakeApp, allow_open: str, status: int
) -> None:
    """In production, the state is served where the metrics are."""
    app = make_app(flask_env="production", allow_open=allow_open)
    assert app.test_client().get("/api/gateway").status_code == status


def test_metrics_are_text_for_prometheus(make_app: MakeApp) -> None:
    """The metrics are in the classic text format, and have the application's numbers."""
    app = make_app()
    app.extensions["container"].metrics_service().connection_opened()
    answer = app.test_client().get("/metrics")
    assert (answer.status_code, answer.content_type) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    lines = answer.text.splitlines()
    assert 'sse_gateway_connections_total{action="connect"} 1.0' in lines
    assert "sse_gateway_bytes_buffered 0.0" in lines
