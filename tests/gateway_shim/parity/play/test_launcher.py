"""Gateway processes: ready, not ready, dead, and ended without remains."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed, GatewayProcess
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.slow

_SERVER = """
import http.server, os, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {body!r}
        self.send_response({status})
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("environment", os.environ.get("CALLBACK_URL"), os.environ["HEARTBEAT_INTERVAL_SECONDS"])
sys.stdout.flush()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
"""


def _python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def _server(status: int = 200, body: bytes = b'{"status":"ok"}') -> str:
    return _python(_SERVER.format(status=status, body=body))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_a_gateway_gets_its_environment_and_frees_its_port() -> None:
    """The process gets PORT, CALLBACK_URL and the interval, and its port is free after the stop."""
    gateway = GatewayProcess(_server(), "http://cb", 7)
    try:
        gateway.start()
        gateway.wait_ready()
        listening = not _is_free(gateway.port)
        gateway.check_alive()
        output = gateway.last_output().splitlines()[0]
    finally:
        gateway.stop()
        gateway.stop()
    assert (listening, output) == (True, "environment http://cb 7")
    assert _is_free(gateway.port)


def test_an_unset_callback_url_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process does not inherit this machine's CALLBACK_URL."""
    monkeypatch.setenv("CALLBACK_URL", "http://leaked")
    gateway = GatewayProcess(_server(), None)
    try:
        gateway.start()
        gateway.wait_ready()
        assert gateway.last_output().splitlines()[0] == "environment None 15"
    finally:
        gateway.stop()


@pytest.mark.parametrize("command", ["no-such-command-here", "", "'"])
def test_a_command_that_does_not_start_is_an_error(command: str) -> None:
    """A command that cannot be started raises an error, and a stop afterwards is allowed."""
    gateway = GatewayProcess(command, None)
    with pytest.raises(GatewayFailed, match="does not start"):
        gateway.start()
    gateway.stop()


def test_a_gateway_that_ends_is_reported_with_its_last_output() -> None:
    """The message has the exit status and the last lines of output."""
    command = _python("print('one'); print('two'); raise SystemExit(7)")
    gateway = GatewayProcess(command, None)
    try:
        gateway.start()
        with pytest.raises(GatewayFailed) as caught:
            gateway.wait_ready()
    finally:
        gateway.stop()
    assert str(caught.value) == (
        f"the gateway ended (exit status 7) before it was ready: {command}\n"
        "last output:\n  one\n  two"
    )


@pytest.mark.parametrize(("status", "body"), [(404, b"no"), (200, b"hello"), (200, b'{"a":1}')])
def test_a_server_that_is_not_a_gateway_is_an_error(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the wrong answer, and the wait ends early."""
    monkeypatch.setattr("gateway_shim.parity.play.launcher._WRONG_ANSWER_SECONDS", 0.2)
    gateway = GatewayProcess(_server(status, body), None)
    try:
        gateway.start()
        with pytest.raises(GatewayFailed, match=f"does not answer like a gateway .*{status}"):
            gateway.wait_ready()
    finally:
        gateway.stop()


def test_a_gateway_that_never_listens_is_given_up() -> None:
    """A process that never listens is given up after the time limit."""
    gateway = GatewayProcess(_python("import time; time.sleep(60)"), None)
    try:
        gateway.start()
        with pytest.raises(GatewayFailed, match=r"not ready within 0.3 s: nothing listens"):
            gateway.wait_ready(0.3)
    finally:
        gateway.stop()


def test_a_stop_ends_the_children() -> None:
    """A stop ends the whole process group."""
    code = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(child.pid, flush=True); child.wait()"
    )
    gateway = GatewayProcess(_python(code), None)
    gateway.start()
    text = wait_until(gateway.last_output, "the child's number")
    gateway.stop()
    wait_until(lambda: _is_gone(int(text)), "the child's end")


def _is_gone(process: int) -> bool:
    """Return whether a process has ended; a zombie has ended, too."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def test_a_killed_gateway_is_dead() -> None:
    """A kill ends the process, and the error names the signal."""
    gateway = GatewayProcess(_server(), None)
    try:
        gateway.start()
        gateway.wait_ready()
        gateway.kill()
        assert gateway.wait(TIME_LIMIT) == -9
        with pytest.raises(GatewayFailed, match="died \\(by SIGKILL\\) while it was in use"):
            gateway.check_alive()
    finally:
        gateway.stop()


def test_a_sibling_has_its_own_port_and_changes() -> None:
    """A sibling has the environment of the first process except for its port and the changes."""
    first = GatewayProcess(_server(), "http://cb", 3, {"X": "1"})
    second = first.sibling({"HEARTBEAT_INTERVAL_SECONDS": "9"})
    try:
        second.start()
        second.wait_ready()
        assert second.port != first.port
        assert second.last_output().splitlines()[0] == "environment http://cb 9"
        second.terminate()
        assert second.wait(TIME_LIMIT) == -15
    finally:
        second.stop()


def test_authorities_of_this_machine_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway trusts only the authorities that a scenario names."""
    ours = "n.startswith(('SSL_', 'NODE_', 'REQUESTS_'))"
    code = f"import os; print(sorted(n for n in os.environ if {ours}))"
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "/etc/ssl")
    gateway = GatewayProcess(_python(code), None, environment={"SSL_CERT_FILE": "/own"})
    try:
        gateway.start()
        gateway.wait(TIME_LIMIT)
        output = gateway.last_output()
    finally:
        gateway.stop()
    assert output == "['SSL_CERT_FILE']"
