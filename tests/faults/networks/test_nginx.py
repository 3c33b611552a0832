"""The nginx configuration of docs/operations.md in front of the backend."""

from __future__ import annotations

import json
import re
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from gateway_shim.parity.ports import free_port
from tests.faults.conftest import Tally
from tests.faults.networks.slow_link import SlowLink
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import active_streams, connect, start_task, task_story
from tests.support.http.client import Connection, request_bytes
from tests.support.http.message import Response
from tests.support.http.stream import Stream
from tests.support.processes.nginx import nginx_with
from tests.support.processes.server import ROOT, GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.needs("nginx")

AUTHORITY = trustme.CA()
CLIENT = ssl.create_default_context()
AUTHORITY.configure_trust(CLIENT)

BEHIND = {"ALLOWED_HOSTS": "app.example"}
"""The settings that the page recommends behind nginx on the same machine."""


class Proxy:
    """A running nginx, as a browser sees it.

    Args:
        port: the port of nginx.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def dial(self) -> Connection:
        """Open a TLS connection, as a browser does."""
        connection = Connection(self.port)
        try:
            connection.socket = CLIENT.wrap_socket(connection.socket, server_hostname="app.example")
        except BaseException:
            connection.close()
            raise
        return connection

    def open_stream(self, request_id: str) -> Stream:
        """Open a stream through nginx."""
        connection = self.dial()
        target = f"/api/sse/stream?request_id={request_id}"
        connection.send(request_bytes("GET", target, host="app.example"))
        head = connection.read_head()
        assert head.status == 200
        return Stream(connection, head, lone_ids=True)

    def request(self, method: str, target: str, **document: object) -> Response:
        """Send one request through nginx."""
        body = json.dumps(document).encode() if document else b""
        headers = [("Content-Type", "application/json"), ("Connection", "close")]
        with self.dial() as connection:
            connection.send(request_bytes(method, target, headers, body, host="app.example"))
            return connection.read_response(method)


@contextmanager
def nginx(folder: Path, backend: int, idle: str = "") -> Iterator[Proxy]:
    """Run nginx with the configuration of the page, with other ports and paths.

    Args:
        folder: the folder for the files of nginx.
        backend: the port of the backend.
        idle: how long nginx keeps an idle connection to the backend, if not 60 s as on the page.
    """
    port = free_port()
    certificate = AUTHORITY.issue_cert("app.example")
    certificate.private_key_pem.write_to_path(folder / "key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "chain", append=True)
    (site,) = re.findall(r"^```nginx\n(.*?)^```$", TEXT, re.M | re.S)
    for old, new in (
        ("127.0.0.1:5000", f"127.0.0.1:{backend}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/ssl/app.example.pem", f"{folder}/chain"),
        ("/etc/ssl/app.example.key", f"{folder}/key"),
    ):
        assert site.count(old) == 1
        site = site.replace(old, new)
    if idle:
        assert site.count("keepalive_timeout 60s;") == 1
        site = site.replace("keepalive_timeout 60s;", f"keepalive_timeout {idle};")
    proxy = Proxy(port)
    with nginx_with(folder, site, lambda: proxy.request("GET", "/healthz").status):
        yield proxy


def test_streams_through_nginx(tmp_path: Path, tally: Tally) -> None:
    """Streams through nginx get each event at once, and both ends of a stream are passed on."""
    with (
        GunicornServer(env=BEHIND) as server,
        nginx(tmp_path, server.port) as proxy,
        connect(server) as direct,
    ):
        direct.wait_for("version")
        with proxy.open_stream("through") as stream:
            assert stream.head.get("Content-Type") == "text/event-stream"
            assert stream.head.get("Content-Encoding") is None
            stream.wait_for("version")
            for _ in range(14):
                # Each task starts after the events of the last one have come. An event that nginx
                # buffered would not come, because the next event is not sent before it.
                task = start_task(server, "demo_task", steps=1, delay=0)
                assert_whole(task_story(stream, task), 1)
                assert_whole(task_story(direct, task), 1)
            assert active_streams(server) == 2
        wait_until(lambda: active_streams(server) == 1, "nginx to say that the browser is gone")
        tally("none: through nginx, TLS", 42, 42, "nothing")

        # Paths that are not for browsers are not available.
        for path in ("/metrics", "/api/gateway", "/internal/send", "/api/sse/callback"):
            assert proxy.request("POST", path, token="x").status == 404
        assert proxy.request("GET", "/api/tasks").status == 200
        assert (
            proxy.request("POST", "/api/tasks", task_type="demo_task", params={"steps": 1}).status
            == 202
        )

        with proxy.open_stream("last") as stream:
            stream.wait_for("version")
            server.send_signal(signal.SIGTERM)
            stream.wait_for("server_restart")
            assert stream.wait_for_end() == "clean"
            assert stream.retry is not None
        assert server.wait() == 0


def test_streams_per_browser_address_are_limited(tmp_path: Path) -> None:
    """The 21st stream of one address is refused, until another stream of that address ends."""
    with GunicornServer(env=BEHIND) as server, nginx(tmp_path, server.port) as proxy:
        streams = [proxy.open_stream(f"s{number}") for number in range(20)]
        assert proxy.request("GET", "/api/sse/stream?request_id=one-more").status == 503
        streams.pop().close()
        wait_until(lambda: active_streams(server) == 19, "a place to be free")
        streams.append(proxy.open_stream("again"))
        for stream in streams:
            stream.close()


def post_task(proxy: Proxy) -> int:
    """Start a task and return the status. nginx does not repeat this request after an error."""
    params = {"steps": 1, "delay": 0}
    return proxy.request("POST", "/api/tasks", task_type="demo_task", params=params).status


def test_a_request_after_a_pause(tmp_path: Path) -> None:
    """nginx closes idle connections before the server does, so no request gets a 502."""
    with (
        GunicornServer(env=BEHIND) as server,
        SlowLink(server.port) as link,
        nginx(tmp_path, link.port, idle="7s") as proxy,
    ):
        assert post_task(proxy) == 202
        before = link.accepted
        assert link.wait_closed(3 * TIME_LIMIT) == "proxy"
        assert post_task(proxy) == 202
        assert link.accepted == before + 1
        stream = proxy.open_stream("after-a-pause")
        stream.wait_for("version")
        stream.close()


def test_a_server_that_closes_first_is_a_502(tmp_path: Path) -> None:
    """A server that closes an idle connection before nginx does causes a 502."""
    with (
        GunicornServer(env={**BEHIND, "KEEP_ALIVE_SECONDS": "1"}) as server,
        SlowLink(server.port) as link,
        nginx(tmp_path, link.port) as proxy,
    ):
        assert post_task(proxy) == 202
        assert link.wait_closed() == "backend"
        assert post_task(proxy) == 502
        assert post_task(proxy) == 202
