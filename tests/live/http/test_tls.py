"""Streams over TLS, without a proxy."""

from __future__ import annotations

import json
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.http.client import Connection, request_bytes
from tests.support.http.message import Ended, Response
from tests.support.http.stream import Stream
from tests.support.log_lines import count_lines
from tests.support.processes.server import Server, ServeServer
from tests.support.timing import wait_until

AUTHORITY = trustme.CA()
CLIENT = ssl.create_default_context()
AUTHORITY.configure_trust(CLIENT)


class TlsServe(ServeServer):
    """The backend with TLS, which is ready when a TLS request succeeds."""

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            return super()._answers()  # raises an error with the exit status
        try:
            return send(self, "GET", "/healthz").status == 200
        except OSError:
            return False


def dial(server: Server, receive_buffer: int | None = None) -> Connection:
    """Open a TLS connection, with a receive buffer of so many bytes."""
    connection = Connection(server.port, receive_buffer=receive_buffer)
    try:
        connection.socket = CLIENT.wrap_socket(connection.socket, server_hostname="127.0.0.1")
    except OSError:
        connection.close()
        raise
    return connection


def send(server: Server, method: str, target: str, body: object = None) -> Response:
    """Send one request over TLS."""
    headers = [("Connection", "close")]
    payload = b""
    if body is not None:
        payload = json.dumps(body).encode()
        headers.append(("Content-Type", "application/json"))
    with dial(server) as connection:
        connection.send(request_bytes(method, target, headers, payload))
        return connection.read_response(method)


def open_stream(server: Server, request_id: str, receive_buffer: int | None = None) -> Stream:
    """Open a stream over TLS, and wait for its version event."""
    connection = dial(server, receive_buffer)
    connection.send(request_bytes("GET", f"/api/sse/stream?request_id={request_id}"))
    stream = Stream(connection, connection.read_head(), lone_ids=True)
    stream.wait_for("version")
    return stream


def active(server: Server) -> str:
    """Return the line of the metrics that has the number of streams."""
    lines = send(server, "GET", "/metrics").body.decode().splitlines()
    return next(line for line in lines if line.startswith("sse_gateway_active_connections "))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Create a certificate and a key for 127.0.0.1, and return their files."""
    folder = tmp_path_factory.mktemp("tls")
    issued = AUTHORITY.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    return folder / "cert.pem", folder / "key.pem"


def backend(certificate: tuple[Path, Path], **env: str) -> TlsServe:
    """Return a backend with TLS and small stream buffers."""
    cert, key = map(str, certificate)
    return TlsServe(
        "--certfile", cert, "--keyfile", key, env={"SSE_MAX_BUFFER_BYTES": "65536"} | env
    )


@pytest.fixture(scope="module")
def server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    """Start a backend that the tests of this module share if they do not stop it."""
    with backend(certificate) as running:
        yield running


def test_streams_over_tls(certificate: tuple[Path, Path]) -> None:
    """Streams over TLS get events in order, disconnects are noticed, and the end is clean."""
    with backend(certificate) as server, open_stream(server, "one") as stream:
        with open_stream(server, "two"):
            assert active(server).endswith(" 2.0")
        wait_until(lambda: active(server).endswith(" 1.0"), "the second stream to be gone")
        body = {"task_type": "demo_task", "params": {"steps": 50, "delay": 0}}
        assert send(server, "POST", "/api/tasks", body).status == 202
        events = stream.collect_until(lambda event: "task_completed" in event.data)
        values = [json.loads(e.data)["data"].get("value") for e in events[1:-1]]
        assert values == sorted(values)
        assert len(values) == 50
        assert server.terminate() == 0
        assert stream.wait_for("server_restart")
        assert stream.wait_for_end() is Ended.CLEAN
        assert re.match(rb": heartbeat\nid: \w+-\d+\n\nretry: 3000\nevent: ", stream.raw)
        assert stream.raw.count(b"retry: ") == 2
        assert "Traceback" not in server.log


def resumed(server: Server, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession, bool, bytes]:
    """Send one request over a session that is resumed if the server can.

    Returns:
        The session for the next request, whether the server has resumed, and the certificate.
    """
    with Connection(server.port) as connection:
        sock = CLIENT.wrap_socket(connection.socket, server_hostname="127.0.0.1", session=session)
        connection.socket = sock
        keep(connection)
        assert sock.session is not None
        return sock.session, bool(sock.session_reused), sock.getpeercert(True) or b""


def reload(server: Server) -> None:
    """Replace the worker, and wait until the old one has ended."""
    before = server.worker_pid()
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: server.worker_pid() != before, "another worker")


def test_sessions_across_reloads(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    """A reload resumes the sessions of the worker before, and uses a renewed certificate."""
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    for source, target in zip(certificate, files, strict=True):
        target.write_bytes(source.read_bytes())
    with backend(files) as server:
        session, was_resumed, first = resumed(server, None)
        assert not was_resumed
        reload(server)
        session, was_resumed, second = resumed(server, session)
        assert (was_resumed, second) == (True, first)
        issued = AUTHORITY.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(files[1])
        issued.cert_chain_pems[0].write_to_path(files[0])
        reload(server)
        _, was_resumed, third = resumed(server, session)
        assert (was_resumed, third != first) == (False, True)
        assert "Traceback" not in server.log


def test_stream_after_other_requests(server: Server) -> None:
    """A connection that has served requests becomes a stream; bytes behind it are dropped."""
    with dial(server) as connection:
        keep(connection)
        connection.send(request_bytes("GET", "/api/sse/stream"))  # no request ID
        assert connection.read_response().status == 400
        target = "/api/sse/stream?request_id=after"
        connection.send(request_bytes("GET", target) + request_bytes("GET", "/healthz") * 200)
        stream = Stream(connection, connection.read_head(), lone_ids=True)
        stream.wait_for("version")
        body = {"task_type": "demo_task", "params": {"steps": 1, "delay": 0}}
        assert send(server, "POST", "/api/tasks", body).status == 202
        stream.collect_until(lambda event: "task_completed" in event.data)
    wait_until(lambda: active(server).endswith(" 0.0"), "the stream to be gone")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
def test_key_updates(server: Server, tmp_path: Path) -> None:
    """A client may change the keys of its session at any time, and get an answer to that."""
    output = tmp_path / "output"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3"],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
        ) as client,
    ):
        assert client.stdin is not None
        try:
            client.stdin.write(request_bytes("GET", "/api/sse/stream?request_id=keys"))
            client.stdin.flush()
            wait_until(lambda: b"event: version" in output.read_bytes(), "the stream")
            for number in range(3):
                client.stdin.write(b"K\n")  # new keys of both sides
                client.stdin.flush()
                wait_until(
                    lambda sent=number: output.read_bytes().count(b"KEYUPDATE") > sent, "the key"
                )
                body = {"task_type": "demo_task", "params": {"steps": 1, "delay": 0}}
                assert send(server, "POST", "/api/tasks", body).status == 202
                wait_until(
                    lambda sent=number: output.read_bytes().count(b"task_completed") > sent,
                    "an event",
                )
        finally:
            client.kill()


def test_replaced_over_tls(server: Server) -> None:
    """A second stream with the same request id ends the first stream cleanly."""
    with open_stream(server, "same") as first, open_stream(server, "same"):
        assert first.wait_for_end() is Ended.CLEAN


def test_client_that_stops_reading_over_tls(certificate: tuple[Path, Path]) -> None:
    """Without a replay, a client that stops reading is cut off, and others get every event."""
    with (
        backend(certificate, SSE_REPLAY="off") as server,
        open_stream(server, "reads") as reader,
        open_stream(server, "stalls", receive_buffer=4096),
    ):
        body = {"task_type": "demo_task", "params": {"steps": 1000, "delay": 0}}
        for _ in range(40):
            send(server, "POST", "/api/tasks", body)
            reader.collect_until(lambda event: "task_completed" in event.data)
            if active(server).endswith(" 1.0"):
                break
        assert active(server).endswith(" 1.0")
        server.wait_for_log("slow consumer ended")
        assert server.log.count("slow consumer ended") == 1


def test_bytes_that_are_not_tls(server: Server) -> None:
    """A client that sends bytes that are not TLS does not disturb the server."""
    with Connection(server.port) as connection:
        connection.send(b"\0\1\2\3\4\5")
        assert connection.wait_closed() in (Ended.EOF, Ended.RESET, Ended.CLEAN)
    assert send(server, "GET", "/healthz").status == 200
    assert "Traceback" not in server.log


def test_plain_http_at_the_tls_port(server: Server) -> None:
    """Plain HTTP gets a 400 that mentions https, and the log counts each request."""
    for number in range(100):
        with Connection(server.port) as connection:
            target = "/healthz" if number % 2 else "/api/sse/stream?request_id=plain"
            connection.send(request_bytes("GET", target))
            answer = connection.read_response()
            assert (answer.status, answer.head.get("Connection")) == (400, "close")
            assert "https://" in answer.json()["error"]["message"]
            assert connection.wait_closed() is Ended.EOF
    assert send(server, "GET", "/healthz").status == 200
    message = "plain HTTP at the TLS port was refused"
    wait_until(lambda: count_lines(server.log, message) == 100, "a hundred lines or their count")
    assert "Traceback" not in server.log


def test_idle_connections_over_tls(certificate: tuple[Path, Path]) -> None:
    """Idle TLS connections are kept for a while, and are closed without an error."""
    with backend(certificate, KEEP_ALIVE_SECONDS="2") as server, dial(server) as old:
        keep(old)
        keep(old)
        assert old.wait_closed() is Ended.EOF
        with dial(server) as idle:
            keep(idle)
            assert server.terminate() == 0
            assert idle.wait_closed() is Ended.EOF
        assert "Traceback" not in server.log
        assert "Error" not in server.log


def test_many_requests_in_one_record(server: Server) -> None:
    """Requests that the TLS session has already read get responses without new bytes."""
    padding = 64 - len(request_bytes("GET", "/healthz", [("X", "")]))
    # The server reads 8 KiB at a time, which is exactly 128 of these requests.
    one = request_bytes("GET", "/healthz", [("X", "x" * padding)])
    assert len(one) == 64
    with dial(server) as connection:
        connection.send(one * 200)
        assert [connection.read_response().status for _ in range(200)] == [200] * 200


def keep(connection: Connection) -> None:
    """Send one request, and check that the connection stays open."""
    connection.send(request_bytes("GET", "/healthz"))
    answer = connection.read_response()
    assert (answer.status, answer.head.get("Connection")) == (200, "keep-alive")
