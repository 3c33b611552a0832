"""The wiring of the services, in which a test can replace each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from dependency_injector import errors, providers

from app.config import Settings
from app.container import ServiceContainer
from app.services.authorization import allow_all
from app.services.connection_manager import HeldByAnotherUser
from app.services.gateway_transport import InProcessTransport
from app.services.remote_gateway.http_transport import HttpTransport
from app.tasks.run.line import LineLimits
from app.tasks.run.outcome import ResultLimits
from app.tasks.run.store import StoreLimits
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol import callbacks
from gateway_shim.protocol.callbacks import Action, CallbackAnswer
from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.streams.callbacks.backend import InProcessBackend
from gateway_shim.streams.config import Cors
from tests.app.services.remote_gateway.http_gateway import HttpGateway

SERVICES = sorted(set(ServiceContainer.providers) - {"settings"})


def container_of(**settings: Any) -> ServiceContainer:
    """Return a container with some settings."""
    return ServiceContainer(settings=Settings(_env_file=None, **settings))


@pytest.fixture
def container() -> Iterator[ServiceContainer]:
    """Return a container with the default settings."""
    container = container_of()
    yield container
    container.reset_singletons()


def test_the_services() -> None:
    """The container has the services that the rest of the application uses by name."""
    assert set(SERVICES) >= {
        "authorizer",
        "callback_handler",
        "connection_manager",
        "gateway",
        "bus",
        "gateway_readiness",
        "gateway_transport",
        "log_broadcaster",
        "loop_monitor",
        "metrics_service",
        "shutdown_coordinator",
        "task_registry",
        "task_service",
        "version_service",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_one_of_each(container: ServiceContainer, name: str) -> None:
    """A container has one of each service; another container has its own."""
    provider = container.providers[name]
    assert provider() is provider()
    other = container_of().providers[name]()
    # The default authorizer is a function, so all containers have the same.
    assert other is not provider() or other is allow_all


@pytest.mark.parametrize("name", SERVICES)
def test_every_provider_can_be_overridden(container: ServiceContainer, name: str) -> None:
    """A provider can be overridden, and restored."""
    fake = object()
    provider = container.providers[name]
    with provider.override(providers.Object(fake)):
        assert provider() is fake
    assert provider() is not fake


def test_an_override_reaches_the_services_that_depend_on_it(container: ServiceContainer) -> None:
    """An overridden ConnectionManager is used by callbacks, tasks and versions."""

    class RecordingConnections:
        def __init__(self) -> None:
            self.calls: list[tuple[str | None, ...]] = []

        def register_on_connect(self, callback: object) -> None:
            self.calls.append(("observer", getattr(callback, "__qualname__", "")))

        def on_connect(
            self, request_id: str, token: str, url: str, user: str | None = None
        ) -> None:
            self.calls.append((request_id, token, url, user))

    fake = RecordingConnections()
    container.connection_manager.override(providers.Object(fake))
    container.version_service()
    container.callback_handler().handle_connect("/?request_id=me", "T", {})
    assert fake.calls == [
        ("observer", "VersionService.on_connect"),
        ("me", "T", "/?request_id=me", None),
    ]


def test_a_callback_of_the_gateway_reaches_the_connection_manager(
    container: ServiceContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's callbacks reach the ConnectionManager without HTTP."""
    monkeypatch.setattr(container.gateway(), "holds", lambda token: token == "T")
    backend = container.gateway().backend
    assert isinstance(backend, InProcessBackend)
    request = {"url": "/api/sse/stream?request_id=me", "headers": {}}
    answer = backend.connect(callbacks.payload(Action.CONNECT, "T", request))
    assert isinstance(answer, CallbackAnswer)
    assert answer.status == 200
    assert container.connection_manager().has_connection("me")
    refused = backend.connect(callbacks.payload(Action.CONNECT, "T2", {**request, "url": "/"}))
    assert isinstance(refused, CallbackAnswer)
    assert refused.status == 400


def test_settings_must_be_given() -> None:
    """A container needs settings of the right class."""
    with pytest.raises(errors.Error):
        ServiceContainer().task_service()
    with pytest.raises(errors.Error):
        ServiceContainer(settings=object()).settings()


def test_the_gateways_configuration() -> None:
    """Every setting of the gateway reaches its configuration."""
    config = (
        container_of(
            sse_dialect="envelope",
            heartbeat_interval_seconds=7,
            sse_max_buffer_bytes=2048,
            sse_max_total_buffer_bytes=2**21,
            sse_max_pending_connects=9,
            sse_max_connections=11,
            sse_max_connections_per_address=3,
            trusted_proxies="10.0.0.0/8",
            sse_client_timeout_seconds=8,
            sse_retry_ms=4000,
            sse_drain_retry_seconds=1.5,
            cors_origins="https://a, https://b",
        )
        .gateway()
        .config
    )
    assert (
        config.dialect,
        config.heartbeat_interval,
        config.max_buffer_bytes,
        config.max_total_buffer_bytes,
        config.max_pending_connects,
        config.keep_headers,
        config.max_connections,
        config.max_connections_per_address,
        config.proxies,
        config.client_timeout,
        config.retry_ms,
        config.drain_retry_seconds,
        config.cors,
    ) == (
        Dialect.ENVELOPE,
        7,
        2048,
        2**21,
        9,
        False,
        11,
        3,
        TrustedProxies.parse("10.0.0.0/8"),
        8,
        4000,
        1.5,
        Cors.parse("https://a,https://b"),
    )


def test_more_connections_than_descriptors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """More streams than the descriptors allow are reduced, with a warning."""
    monkeypatch.setattr("app.container.streams_allowed", lambda limit, requests: 150)
    assert container_of(sse_max_connections=1000).gateway().config.max_connections == 150
    assert "allows 150 streams" in caplog.text
    assert container_of(sse_max_connections=150).gateway().config.max_connections == 150
    assert container_of().gateway().config.max_connections == 150
    assert len(caplog.records) == 1


def test_the_gateway_of_this_process_knows_its_open_streams(
    container: ServiceContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the gateway of this process is asked whether a stream is open."""
    living = {"T1", "T2"}
    monkeypatch.setattr(container.gateway(), "holds", living.__contains__)
    manager = container.connection_manager()
    manager.on_connect("me", "T1", "/", "ann")
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T2", "/", "bob")
    living.remove("T1")
    manager.on_connect("me", "T2", "/", "bob")
    assert manager.token_of("me") == "T2"
    elsewhere = container_of(sse_gateway_url="http://127.0.0.1:9").connection_manager()
    elsewhere.on_connect("me", "T1", "/", "ann")
    with pytest.raises(HeldByAnotherUser):
        elsewhere.on_connect("me", "T2", "/", "bob")


def test_the_task_services_settings() -> None:
    """Every setting of tasks reaches the task service."""
    container = container_of(
        task_max_workers=7,
        task_timeout_seconds=8,
        task_cleanup_interval_seconds=9,
        task_max_finished=10,
        task_max_finished_bytes=1100,
        task_max_result_bytes=1200,
        task_max_waiting=13,
        task_max_waiting_bytes=1400,
        task_max_per_address=15,
    )
    service = container.task_service()
    conductor = service._conductor
    assert conductor._native._threads == 2 * 7
    assert conductor._timeout_seconds == 8
    assert service._store._limits == StoreLimits(9, 10, 1100)
    assert conductor._line._limits == LineLimits(7, 13, 1400, 15)
    assert conductor._result_limits == ResultLimits(256 * 1024, 1200)
    assert service._refusals is container.refusals()


def test_the_transport_without_a_gateway_url(container: ServiceContainer) -> None:
    """Without SSE_GATEWAY_URL, the gateway of this process is used."""
    assert isinstance(container.gateway_transport(), InProcessTransport)


def test_the_transport_with_a_gateway_url() -> None:
    """With SSE_GATEWAY_URL, that gateway is used, with secret, time limit and concurrency."""
    with HttpGateway() as gateway:
        transport = container_of(
            sse_gateway_url=gateway.url + "/",
            sse_gateway_timeout_seconds=0.5,
            sse_gateway_concurrency=3,
            sse_callback_secret="s3cret",
        ).gateway_transport()
        assert isinstance(transport, HttpTransport)
        gateway.respond = lambda send: gevent.sleep(0.01) or b""  # type: ignore[func-returns-value]
        transport.broadcast([f"T{number}" for number in range(9)], Event("n", "d"))
        assert gateway.most_at_once == 3
        assert all(re.search(rb"\r\nX-SSE-Secret: s3cret\b", head) for head in gateway.heads)
        gevent.killall(transport._lanes._senders)


def test_the_settings_of_the_tasks() -> None:
    """A configured task is offered; a task that cannot be imported is an error."""
    assert "digest_tree" not in container_of().task_registry().names
    assert "digest_tree" in container_of(task_files_root="/").task_registry().names
    with pytest.raises(Exception, match="APP_TASKS"):
        container_of(app_tasks="nowhere:Task").task_registry()


def test_the_log_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway opens the log at its start, and not before."""
    opened: list[LogLimits] = []

    def open_log(limits: LogLimits, _: str) -> MemoryLog:
        opened.append(limits)
        return MemoryLog(limits)

    monkeypatch.setattr("app.services.bus.bus.open_log", open_log)
    made = container_of(sse_replay_bytes=1024 * 1024).gateway()
    assert made.replays
    assert opened == []
    made.start()
    assert opened == [LogLimits(1024 * 1024)]
    made.stop()


def test_redis_decides_about_the_readiness() -> None:
    """With SSE_BUS_URL, the server is not ready before the log is open."""
    container = container_of(sse_bus_url="redis://h")
    assert container.gateway_readiness() is container.bus()
    assert container.gateway_readiness().problem() is not None
