"""Targets: gateways that the kit starts, and a gateway that runs already."""

from __future__ import annotations

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.play.targets import AUTHORITY, Command, NotPlayable, Url
from gateway_shim.parity.ports import free_port
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import End, Open, Request
from tests.gateway_shim.parity.conftest import PATIENCE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("callback", "status", "ready"),
    [("refused", 503, 200), ("none", 503, 503), ("unknown host", 503, 200), ("stub", 200, 200)],
)
def test_a_process_is_started_as_the_scenario_needs_it(
    shim: Command, callback: str, status: int, ready: int
) -> None:
    """The backend answers, refuses, does not exist, or is not configured."""
    process = Process(callback=callback)
    steps = (Open(), Request("GET", "/readyz"))
    with shim.player(process) as player:
        seen = player.play(Scenario("s", steps, ["$status:s", "$status:answer"], process=process))
    assert seen == [status, ready]


def test_a_gateway_that_runs_is_used_by_its_url(shim: Command) -> None:
    """A running gateway is used through its URL, and the callback port is free afterwards."""
    callback_port = free_port()
    with shim.player(Process(start=False)) as player:
        url = f"http://127.0.0.1:{callback_port}/api/sse/callback?secret=s3cret"
        assert player.gateway is not None
        gateway = player.gateway.sibling({"CALLBACK_URL": url})
        try:
            gateway.start()
            gateway.wait_ready()
            target = Url(f"http://127.0.0.1:{gateway.port}", callback_port)
            with target.player(Process()) as used:
                used.context.patience = PATIENCE
                seen = used.play(Scenario("s", (Open(),), "$callback_url"))
        finally:
            gateway.stop()
    StubBackend(callback_port).stop()
    assert (seen, target.name, target.starts_gateways) == (
        "/api/sse/stream?request_id=r1",
        f"http://127.0.0.1:{gateway.port}",
        False,
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://x", "give http://host:port"),
        ("x", "give http://host:port"),
        ("http://127.0.0.1:99999", "not a valid URL"),
        ("http://127.0.0.1:{free}", "no gateway answers"),
    ],
)
def test_a_url_without_a_gateway_is_an_error(url: str, message: str) -> None:
    """Each kind of wrong URL has its message."""
    target = Url(url.format(free=free_port()), free_port())
    with pytest.raises(GatewayFailed, match=message), target.player(Process()):
        pass


def test_a_callback_port_in_use_is_an_error() -> None:
    """A callback port in use is reported before anything is played."""
    backend = StubBackend()
    target = Url("http://127.0.0.1:1", backend.port)
    with pytest.raises(GatewayFailed, match="cannot be used"), target.player(Process()):
        pass
    backend.stop()


def test_a_refused_stream_ends_cleanly(shim: Command) -> None:
    """An answer without a backend is read to its clean end."""
    process = Process(callback="none")
    with shim.player(process) as player:
        seen = player.play(Scenario("s", (Open(), End()), "$ended:s", process=process))
    assert seen == "clean"


def test_an_address_of_another_machine_is_not_playable(shim: Command) -> None:
    """A scenario that needs an address of another machine cannot be played."""
    not_ours = Process(backend="192.0.2.1")
    with pytest.raises(NotPlayable, match="cannot listen on"), shim.player(not_ours):
        pass


def test_a_callback_url_and_an_authority_are_filled_in(shim: Command) -> None:
    """``$PORT`` becomes the stub backend's port, and ``$CA`` an existing file."""
    process = Process(
        callback="http://127.0.0.1:$PORT/own?path", environment={"SSL_CERT_FILE": "$CA"}
    )
    with shim.player(process) as player:
        seen = player.play(Scenario("s", (Open(),), "$calls", process=process))
    assert (seen, AUTHORITY.is_file()) == (["POST /own?path connect"], True)
