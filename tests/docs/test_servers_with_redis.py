"""The recipe of docs/deploy.md for several servers: its texts run, with other ports and paths."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gateway_shim.event_log.brokers.redis.inspection import inspect
from gateway_shim.event_log.brokers.redis.url import RedisURL
from gateway_shim.parity.ports import free_port
from tests.faults.nothing_missed.publisher import (
    Publisher,
    assert_nothing_missed,
    number_of,
    wait_for_ids,
)
from tests.support.http.client import request
from tests.support.processes.nginx import nginx_with
from tests.support.processes.redis_server import RedisServer
from tests.support.processes.server import ROOT, Server
from tests.support.resuming_client import ResumingClients
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.needs("nginx", "redis")

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
RECIPE = TEXT.partition("\n## Several servers with Redis\n")[2].partition("\n## ")[0]
CLIENTS = 40


def blocks(language: str, text: str = RECIPE) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def unit() -> str:
    """Return the text of the template unit."""
    (found,) = blocks("ini")
    return found


def ports() -> list[str]:
    """Return the ports of the servers, as all parts of the recipe name them."""
    upstream = re.findall(r"server 127\.0\.0\.1:(\d+)", blocks("nginx")[0])
    commands = "".join(blocks("sh"))
    assert re.findall(r"enable --now (.*)", commands) == [
        " ".join(f"sse-monolith@{port}" for port in upstream)
    ]
    assert re.findall(r"for port in (.*); do", commands) == [" ".join(upstream)]
    return upstream


def rights() -> list[str]:
    """Return the rules of the ACL user, from the line of operations.md."""
    (line,) = re.findall(r"^user sse (.*)$", OPERATIONS, re.M)
    return line.split()


@contextmanager
def redis_of_the_recipe() -> Iterator[tuple[RedisServer, str]]:
    """Run Redis with the recipe's settings and user, and return it with its URL."""
    lines = [line.split() for line in blocks("")[0].splitlines()]
    options = [
        word
        for name, value in lines
        if name != "aclfile"  # the default user must stay, for the test
        for word in (f"--{name}", value)
    ]
    with RedisServer(options, with_port=True) as redis:
        redis.do("ACL", "SETUSER", "sse", *rights())
        (url,) = re.findall(r"^SSE_BUS_URL=(\S+)$", RECIPE, re.M)
        yield redis, url.replace(":6379", f":{redis.port}")


class Service:
    """One instance of the template unit, as systemd runs it.

    Args:
        folder: the folder of its state.
        url: the URL of Redis.

    Attributes:
        port: its port.
        admin: its port for operators.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.port, self.admin = free_port(), free_port()
        state = folder / f"sse-monolith-{self.port}"
        env: dict[str, str] = {}
        (environment,) = (text for text in blocks("sh") if text.startswith("FLASK_ENV="))
        lines = environment.splitlines() + re.findall(r"^Environment=(.*)$", unit(), re.M)
        for line in lines:
            name, _, value = line.partition("=")
            env[name] = value.replace("%i", str(self.port)).replace("%S", str(folder))
        assert env["PORT"] == str(self.port)
        assert env["ADMIN_BIND"] == f"127.0.0.1:1{self.port}"
        assert env["SSE_STATE_DIR"] == str(state)
        env |= {
            "ADMIN_BIND": f"127.0.0.1:{self.admin}",
            "SSE_BUS_URL": url,
            "FLASK_ENV": "testing",  # to publish events with numbers
            "SSE_DRAIN_RETRY_SECONDS": "0.1",
        }
        self._env = env
        (command,) = re.findall(r"^ExecStart=(.*)$", unit(), re.M)
        program, *arguments = shlex.split(command)
        assert Path(program).name == "sse-monolith"
        self._command = [sys.executable, "-m", "app", *arguments]
        self._server: Server | None = None

    def start(self) -> None:
        """Start the server."""
        self._server = Server(self._command, env=self._env, port=self.port)
        self._server.__enter__()

    def stop(self) -> None:
        """Stop the server as systemd does."""
        if self._server is not None:
            assert self._server.terminate() == 0, self._server.log
            self._server.__exit__(None, None, None)
            self._server = None

    def kill(self) -> None:
        """Kill all processes of the server."""
        assert self._server is not None
        self._server.kill()
        with contextlib.suppress(AssertionError):
            self._server.__exit__(None, None, None)
        self._server = None

    def is_ready(self) -> bool:
        """Return True if the server is ready, as the command of the rolling restart asks."""
        return request(self.admin, "GET", "/readyz").status == 200


@contextmanager
def nginx(folder: Path, backends: list[int]) -> Iterator[int]:
    """Run nginx with the configuration of both pages, without TLS, and return its port."""
    (site,) = blocks("nginx", OPERATIONS)
    upstream, location = blocks("nginx")
    site, count = re.subn(r"^upstream .*?^}\n", lambda _: upstream, site, flags=re.M | re.S)
    assert count == 1
    assert site.count("        proxy_next_upstream off;\n") == 1
    site = site.replace("        proxy_next_upstream off;\n", location)
    port = free_port()
    numbers = zip(ports(), backends, strict=True)
    for pattern, new in [
        *((rf"127\.0\.0\.1:{old}\b", f"127.0.0.1:{new}") for old, new in numbers),
        (r"listen 443 .*;", f"listen 127.0.0.1:{port};"),
        (r"ssl_certificate .*;", ""),
        (r"ssl_certificate_key .*;", ""),
        (r"limit_conn sse_streams 20;", "limit_conn sse_streams 1000;"),
    ]:
        site, count = re.subn(pattern, new, site)
        assert count == 1, pattern
    with nginx_with(folder, site, lambda: request(port, "GET", "/healthz").status):
        yield port


def test_the_rights_suffice() -> None:
    """The check finds nothing wrong with the recipe's Redis and its user."""
    with redis_of_the_recipe() as (_, url):
        assert inspect(RedisURL.parse(url), "sse") == []


@pytest.mark.needs("systemd-analyze")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    """systemd-analyze accepts an instance of the template, with another path of the binary."""
    path = tmp_path / "sse-monolith@5001.service"
    path.write_text(unit().replace("/usr/local/bin/sse-monolith", "/bin/sh"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )
    complaints = [line for line in ran.stderr.splitlines() if "sse-monolith" in line]
    assert complaints == []


@pytest.mark.slow
def test_a_rolling_restart(tmp_path: Path) -> None:
    """No browser misses an event while all servers are restarted, and one is killed."""
    with ExitStack() as stack:
        _, url = stack.enter_context(redis_of_the_recipe())
        services = [Service(tmp_path, url) for _ in ports()]
        for service in services:
            stack.callback(service.stop)
            service.start()
        port = stack.enter_context(nginx(tmp_path, [service.port for service in services]))
        publisher = stack.enter_context(Publisher(services[0].admin))
        clients = stack.enter_context(ResumingClients(port, CLIENTS, number_of))
        wait_for_ids(clients)
        with publisher.publishing(100):
            for service in services:
                service.stop()
                service.start()
                wait_until(service.is_ready, "the server to be ready again")
        with publisher.publishing(50):
            services[1].kill()
            clients.wait_for(lambda client: client.is_open, "every stream")
        publisher.publish(1)
        assert assert_nothing_missed(clients, publisher) >= 150
        # nginx has passed on no refusal and no error, after which an EventSource would give up.
        assert [client.refused for client in clients.clients if client.refused] == []
        services[1].start()
