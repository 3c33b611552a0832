"""The TLS context that all workers of a server share."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from gunicorn.config import Config

from gateway_shim.server.process import tls_context
from gateway_shim.server.process.tls_context import prepare_context, shared_context

AUTHORITY = trustme.CA()


@pytest.fixture(autouse=True)
def _no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_context, "_last", None)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    renew(tmp_path)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def renew(folder: Path) -> None:
    """Write another certificate and its key."""
    issued = AUTHORITY.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")


def config(files: tuple[Path, Path]) -> Config:
    """Return gunicorn's configuration after a start or a reload."""
    cfg = Config()
    cfg.set("certfile", str(files[0]))
    cfg.set("keyfile", str(files[1]))
    return cfg


def resumes(first: ssl.SSLContext, second: ssl.SSLContext, version: ssl.TLSVersion) -> bool:
    """Return whether a client of one server resumes its session at another one."""
    client = ssl.create_default_context()
    AUTHORITY.configure_trust(client)
    client.maximum_version = version
    session = visit(client, first, None).session
    return bool(visit(client, second, session).session_reused)


def visit(client: ssl.SSLContext, server: ssl.SSLContext, session: Any) -> Any:
    """Exchange a byte over TLS, and return the client's end."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1", session=session)
    theirs = server.wrap_bio(outgoing, incoming, server_side=True)
    for side in (ours, theirs) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    theirs.write(b"x")
    assert ours.read(1) == b"x"  # with it come the tickets of TLS 1.3
    return ours


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption_at_another_worker(
    files: tuple[Path, Path], version: ssl.TLSVersion, tmp_path: Path
) -> None:
    """A ticket of one worker is good at each worker, and after a reload; not for a new key."""
    first = shared_context(config(files))
    assert resumes(first, first, version)
    assert resumes(first, shared_context(config(files)), version)
    renew(tmp_path)
    assert not resumes(first, shared_context(config(files)), version)


def test_same_files(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The context stays while files and settings do; a reload makes a new one once a day."""
    cfg = config(files)
    first = shared_context(cfg)
    assert shared_context(cfg) is first
    assert shared_context(reloaded := config(files)) is first
    monkeypatch.setattr(tls_context, "_KEEP_SECONDS", 0.0)
    assert shared_context(reloaded) is first, "a worker that replaces a crashed one"
    assert shared_context(config(files)) is not first


@pytest.mark.parametrize("change", ["files", "ciphers"])
def test_changes(files: tuple[Path, Path], tmp_path: Path, change: str) -> None:
    """A new certificate, or another setting, makes a new context."""
    first = shared_context(config(files))
    cfg = config(files)
    if change == "files":
        renew(tmp_path)
    else:
        cfg.set("ciphers", "ECDHE+AESGCM")
    assert shared_context(cfg) is not first


def test_arbiter_that_was_not_patched(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker does not use a context whose sockets would block its event loop."""
    blocking = ssl.SSLContext.__mro__[1]
    cfg = config(files)
    with monkeypatch.context() as unpatched:
        unpatched.setattr(tls_context, "ssl_context", lambda cfg: blocking(ssl.PROTOCOL_TLS_SERVER))
        assert type(shared_context(cfg)) is blocking
    assert type(shared_context(cfg)) is ssl.SSLContext


def test_prepare(files: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    """The arbiter survives a certificate that cannot be used; the worker raises the error."""
    prepare_context(Config())
    assert tls_context._last is None
    cfg = config(files)
    prepare_context(cfg)
    assert tls_context._last is not None
    files[0].write_text("no certificate")
    prepare_context(cfg)
    assert "the certificate cannot be used" in caplog.text
    with pytest.raises(ssl.SSLError):
        shared_context(cfg)
    files[0].unlink()
    with pytest.raises(FileNotFoundError):
        shared_context(cfg)
