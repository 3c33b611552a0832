"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

from tests.app.api.conftest import MakeApp


def test_ready_until_the_shutdown_begins(make_app: MakeApp) -> None:
    """Readiness ends with PREPARE_SHUTDOWN; the process stays alive all the while."""
    app = make_app()
    client, coordinator = app.test_client(), app.extensions["container"].shutdown_coordinator()
    during: list[tuple[int, object]] = []

    def look() -> list[tuple[int, object]]:
        answers = [client.get(path) for path in ("/healthz", "/readyz")]
        assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 2
        return [(answer.status_code, answer.json) for answer in answers]

    coordinator.register_lifetime_notification(lambda _: during.extend(look()))
    alive = (200, {"status": "ok"})
    assert look() == [alive, (200, {"status": "ready"})]
    coordinator.shutdown()
    gone = (503, {"status": "not_ready", "error": "The server is shutting down"})
    assert during == [alive, gone] * 3
    assert look() == [alive, gone]
