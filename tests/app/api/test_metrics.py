"""``GET /metrics``."""

from __future__ import annotations

from tests.app.conftest import MakeApp


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
