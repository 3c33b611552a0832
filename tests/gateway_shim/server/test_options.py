"""Gunicorn's settings and what we change of gunicorn."""

from __future__ import annotations

import errno
import socket
import subprocess
from pathlib import Path

import pytest
import trustme

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.parity.ports import free_port
from gateway_shim.server import options as server
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.options import (
    GunicornServer,
    base_options,
    check_address,
    check_certificate,
    hosts,
)
from gateway_shim.server.server_log import PropagatingLogger

has_ipv6 = pytest.mark.skipif(not server._can_bind("::1"), reason="no IPv6 on this machine")

# ------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("host", "binds"),
    [
        ("127.0.0.1", ["127.0.0.1:81"]),
        ("0.0.0.0", ["0.0.0.0:81"]),
        ("::", ["[::]:81"]),
        ("gw.example", ["gw.example:81"]),
    ],
)
def test_bind(host: str, binds: list[str]) -> None:
    """The address is written as gunicorn reads it."""
    assert base_options(host, 81, drain_seconds=1)["bind"] == binds


@pytest.mark.parametrize(("ipv6", "names"), [(True, ["127.0.0.1", "::1"]), (False, ["127.0.0.1"])])
def test_localhost(ipv6: bool, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``localhost`` is every loopback address that there is; any other name is only itself."""
    monkeypatch.setattr(server, "_can_bind", lambda address: ipv6)
    assert hosts("localhost") == names
    assert hosts("127.0.0.1") == ["127.0.0.1"]


@pytest.mark.parametrize(("alone", "names"), [(False, ["::"]), (True, ["::", "0.0.0.0"])])
def test_all_addresses(alone: bool, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``::`` takes IPv4 as well, also where the system gives it IPv6 only."""
    monkeypatch.setattr(server, "_ipv6_is_alone", lambda: alone)
    assert hosts("::") == names
    assert hosts("0.0.0.0") == ["0.0.0.0"]


def test_what_the_system_gives_ipv6() -> None:
    """The system's setting is read, where it has IPv6."""
    setting = Path("/proc/sys/net/ipv6/bindv6only")
    expected = setting.exists() and setting.read_text().strip() == "1"
    assert server._ipv6_is_alone() is expected


class _NoIPv6(socket.socket):
    """A socket on a machine whose kernel has no IPv6."""

    def __init__(self, family: int = socket.AF_INET, *more: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, *more)


@pytest.mark.parametrize(("host", "instead"), [("::", "0.0.0.0"), ("::1", "127.0.0.1")])
def test_a_machine_without_ipv6(host: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to listen at instead."""
    monkeypatch.setattr(socket, "socket", _NoIPv6)
    assert hosts(host) == [host]
    with pytest.raises(InvalidConfiguration, match=f"has no IPv6: use {instead} instead"):
        check_address(host, free_port())
    check_address(instead, free_port())


def test_can_bind() -> None:
    """An address of this machine can be bound, one of another cannot."""
    assert server._can_bind("2001:db8::1") is False


@pytest.mark.parametrize(("drain", "limit"), [(5.0, 15), (0.4, 10), (60.0, 70)])
def test_what_streams_need(drain: float, limit: int) -> None:
    """One process, no restarts, and more time to end than a drain takes."""
    options = base_options("127.0.0.1", 81, drain_seconds=drain)
    assert (options["workers"], options["max_requests"]) == (1, 0)
    assert options["graceful_timeout"] == limit
    assert options["worker_class"] == "gateway_shim.server.worker.StreamWorker"
    assert options["control_socket_disable"] is True
    assert options["header_map"] == "dangerous"


def test_gunicorn_takes_the_settings() -> None:
    """Every setting is one of gunicorn's, and the application is made when it is asked for."""
    made = []

    def load() -> str:
        made.append(1)
        return "application"

    options = base_options("127.0.0.1", 81, drain_seconds=5)
    running = GunicornServer(load, options)
    assert made == []
    for name in ("bind", "workers", "keepalive", "graceful_timeout", "control_socket_disable"):
        assert running.cfg.settings[name].get() == options[name]
    assert running.cfg.logger_class is PropagatingLogger
    assert running.load() == "application"


def test_reload_ends_a_worker_cleanly() -> None:
    """The hook of gunicorn's reloader lets the worker drain."""
    finished = []

    class Worker:
        def finish(self) -> None:
            finished.append(1)

    base_options("127.0.0.1", 81, drain_seconds=5)["worker_int"](Worker())
    assert finished == [1]


# ------------------------------------------------------------------------- addresses


def test_free_address() -> None:
    """An address that is free stays free."""
    port = free_port()
    check_address("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        pass


@has_ipv6
def test_free_ipv6_address() -> None:
    """So does one of IPv6."""
    check_address("::1", free_port())


def test_taken_address() -> None:
    """An address that is taken is said to be, with a way out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InvalidConfiguration) as caught:
            check_address("127.0.0.1", port)
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port"
    )
    assert isinstance(caught.value.__cause__, OSError)


def test_handed_over_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that systemd has handed over are taken, and that is as it should be."""
    monkeypatch.setattr(server, "listening_already", lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check_address("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "Cannot assign requested address"), ("2001:db8::1", ""), ("x" * 300, "")],
)
def test_address_that_is_not_ours(host: str, why: str) -> None:
    """An address of another machine, or a name of none, cannot be listened on; why is said."""
    with pytest.raises(InvalidConfiguration) as caught:
        check_address(host, free_port())
    message = str(caught.value)
    assert message.startswith(f"cannot listen on {bind_text(host, 1).removesuffix('1')}")
    assert why in message
    assert message.endswith("; check HOST and PORT")
    assert "None" not in message
    assert "Unknown error" not in message


# ------------------------------------------------------------------------- certificates


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """The files of a certificate and its key."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    for pem in issued.cert_chain_pems:
        pem.write_to_path(certfile, append=True)
    issued.private_key_pem.write_to_path(keyfile)
    return str(certfile), str(keyfile)


def test_certificate(certificate: tuple[str, str]) -> None:
    """A certificate and its key can be used."""
    check_certificate(*certificate)


@pytest.mark.parametrize("missing", [0, 1])
def test_half_a_certificate(certificate: tuple[str, str], missing: int) -> None:
    """A certificate without a key, or the other way round, cannot."""
    files: list[str | None] = list(certificate)
    files[missing] = None
    with pytest.raises(InvalidConfiguration, match=r"^TLS needs both a certificate and a key$"):
        check_certificate(*files)


def test_bad_certificate(certificate: tuple[str, str], tmp_path: Path) -> None:
    """Files that are not there, or are something else, are named."""
    certfile, keyfile = certificate
    for wrong in ((keyfile, certfile), (str(tmp_path / "none"), keyfile)):
        with pytest.raises(InvalidConfiguration) as caught:
            check_certificate(*wrong)
        assert str(caught.value).startswith(f"cannot use {wrong[0]} with {wrong[1]}: ")


def test_encrypted_key(certificate: tuple[str, str], tmp_path: Path) -> None:
    """Nobody is asked for a pass phrase: a server has no terminal."""
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    with open(certificate[1], "rb") as key:
        subprocess.run(command, stdin=key, check=True, capture_output=True)
    with pytest.raises(InvalidConfiguration, match=r"^the key is encrypted"):
        check_certificate(certificate[0], str(locked))
