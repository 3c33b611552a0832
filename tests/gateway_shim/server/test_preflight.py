"""Tests of the checks before the server starts."""

from __future__ import annotations

import errno
import socket
import subprocess
from pathlib import Path

import pytest
import trustme

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.parity.ports import free_port
from gateway_shim.server import preflight
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.preflight import check_address, check_certificate, hosts

has_ipv6 = pytest.mark.skipif(not preflight._can_bind("::1"), reason="no IPv6 on this machine")

# ------------------------------------------------------------------------- hosts


@pytest.mark.parametrize(("ipv6", "names"), [(True, ["127.0.0.1", "::1"]), (False, ["127.0.0.1"])])
def test_localhost(ipv6: bool, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``localhost`` means every loopback address of the machine; other names mean themselves."""
    monkeypatch.setattr(preflight, "_can_bind", lambda address: ipv6)
    assert hosts("localhost") == names
    assert hosts("127.0.0.1") == ["127.0.0.1"]


@pytest.mark.parametrize(("alone", "names"), [(False, ["::"]), (True, ["::", "0.0.0.0"])])
def test_all_addresses(alone: bool, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``::`` includes IPv4, also on a machine where such a socket takes IPv6 only."""
    monkeypatch.setattr(preflight, "_excludes_ipv4", lambda: alone)
    assert hosts("::") == names
    assert hosts("0.0.0.0") == ["0.0.0.0"]


def test_the_setting_of_the_system() -> None:
    """The system's setting ``bindv6only`` is read where the system has IPv6."""
    setting = Path("/proc/sys/net/ipv6/bindv6only")
    expected = setting.exists() and setting.read_text().strip() == "1"
    assert preflight._excludes_ipv4() is expected


def test_can_bind() -> None:
    """An address of another machine cannot be bound."""
    assert preflight._can_bind("2001:db8::1") is False


# ------------------------------------------------------------------------- addresses


class _NoIPv6(socket.socket):
    """A socket on a machine whose kernel has no IPv6."""

    def __init__(self, family: int = socket.AF_INET, *more: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, *more)


@pytest.mark.parametrize(("host", "instead"), [("::", "0.0.0.0"), ("::1", "127.0.0.1")])
def test_a_machine_without_ipv6(host: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the IPv4 address to use instead."""
    monkeypatch.setattr(socket, "socket", _NoIPv6)
    assert hosts(host) == [host]
    with pytest.raises(InvalidConfiguration, match=f"has no IPv6: use {instead} instead"):
        check_address(host, free_port())
    check_address(instead, free_port())


def test_free_address() -> None:
    """The check leaves a free address free."""
    port = free_port()
    check_address("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        pass


@has_ipv6
def test_free_ipv6_address() -> None:
    """A free IPv6 address is accepted."""
    check_address("::1", free_port())


def test_taken_address() -> None:
    """The error for an address in use names the address and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InvalidConfiguration) as caught:
            check_address("127.0.0.1", port)
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port"
    )
    assert isinstance(caught.value.__cause__, OSError)


def test_handed_over_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sockets that systemd has handed over are in use already, and are accepted."""
    monkeypatch.setattr(preflight, "listening_already", lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check_address("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.1", "Cannot assign requested address"), ("2001:db8::1", ""), ("x" * 300, "")],
)
def test_address_of_another_machine(host: str, reason: str) -> None:
    """The error for an address that this machine does not have gives the reason."""
    with pytest.raises(InvalidConfiguration) as caught:
        check_address(host, free_port())
    message = str(caught.value)
    assert message.startswith(f"cannot listen on {bind_text(host, 1).removesuffix('1')}")
    assert reason in message
    assert message.endswith("; check HOST and PORT")
    assert "None" not in message
    assert "Unknown error" not in message


# ------------------------------------------------------------------------- certificates


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Return the files of a certificate and its key."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    for pem in issued.cert_chain_pems:
        pem.write_to_path(certfile, append=True)
    issued.private_key_pem.write_to_path(keyfile)
    return str(certfile), str(keyfile)


def test_certificate(certificate: tuple[str, str]) -> None:
    """A certificate with its key is accepted."""
    check_certificate(*certificate)


@pytest.mark.parametrize("missing", [0, 1])
def test_half_a_certificate(certificate: tuple[str, str], missing: int) -> None:
    """A certificate without a key, or a key without a certificate, is refused."""
    files: list[str | None] = list(certificate)
    files[missing] = None
    with pytest.raises(InvalidConfiguration, match=r"^TLS needs both a certificate and a key$"):
        check_certificate(*files)


def test_bad_certificate(certificate: tuple[str, str], tmp_path: Path) -> None:
    """The error names files that are missing or hold something else."""
    certfile, keyfile = certificate
    for wrong in ((keyfile, certfile), (str(tmp_path / "none"), keyfile)):
        with pytest.raises(InvalidConfiguration) as caught:
            check_certificate(*wrong)
        assert str(caught.value).startswith(f"cannot use {wrong[0]} with {wrong[1]}: ")


def test_encrypted_key(certificate: tuple[str, str], tmp_path: Path) -> None:
    """An encrypted key is refused; OpenSSL does not ask for a pass phrase at the terminal."""
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    with open(certificate[1], "rb") as key:
        subprocess.run(command, stdin=key, check=True, capture_output=True)
    with pytest.raises(InvalidConfiguration, match=r"^the key is encrypted"):
        check_certificate(certificate[0], str(locked))
