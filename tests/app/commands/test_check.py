"""Tests of the command ``check``, in this process, and in new processes as the arbiter runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.commands.check import check_command
from app.program.self_command import self_command
from app.serving import gunicorn_settings as serving
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(serving.__file__).parents[2]


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in a folder without a developer's ``.env``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def check() -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(check_command, prog_name="sse-monolith check")


def assert_refused(beginning: str) -> None:
    """Check that the command ends with status 1 and one line that has this beginning."""
    result = check()
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {beginning}")


def problem() -> str | None:
    """Return the reason why a worker could not start, as the arbiter gets it."""
    check = serving.start_check()
    wait_until(check.is_over, "the check's end")
    return check.problem


def test_good_settings() -> None:
    """Good settings give one line and exit status 0, and a server accepts the reload."""
    done = subprocess.run([*self_command(), "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, serving.CAN_START + "\n", "")
    assert problem() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASK_MAX_WORKERS", "abc"),
        ("APP_TASKS", "no_such_module:Task"),
        ("SSE_AUTHORIZE", "no_such_module:hook"),
    ],
)
def test_bad_settings(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A setting that would stop a worker is named in one line."""
    monkeypatch.setenv(name, value)
    assert_refused(f"{name}: ")


def test_a_line_of_the_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A bad line of ``.env`` refuses the reload."""
    (tmp_path / ".env").write_text('\nSSE_AUTHORIZE="a.b:c\nPORT=1\n')
    assert problem() == (
        ".env line 2: the quote of SSE_AUTHORIZE is not closed, or something follows it"
    )


def test_a_misspelt_setting(tmp_path: Path) -> None:
    """A misspelt setting is a warning, and the server could start."""
    (tmp_path / ".env").write_text("ADMIN_BINDS=127.0.0.1:1\n")
    result = check()
    assert (result.exit_code, result.stdout) == (0, serving.CAN_START + "\n")
    assert result.stderr == (
        "Warning: ADMIN_BINDS in .env line 1 is not a setting; did you mean ADMIN_BIND?\n"
    )
    assert problem() is None


def test_hints_for_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production, hints name settings that are worth setting, and the server could start."""
    monkeypatch.setenv("FLASK_ENV", "production")
    monkeypatch.setenv("SSE_CALLBACK_SECRET", "s3cret")
    result = check()
    assert (result.exit_code, result.stdout) == (0, serving.CAN_START + "\n")
    hints = result.stderr.splitlines()
    assert [hint.split(" is ")[0] for hint in hints] == ["Hint: ADMIN_BIND", "Hint: HOST"]
    assert problem() is None


def test_an_address_that_other_machines_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that other machines reach is refused with the same message as at the start."""
    monkeypatch.setenv("HOST", "0.0.0.0")
    assert_refused("HOST is 0.0.0.0: other machines could start tasks")


def test_status_and_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that cannot be used gives exit status 1."""
    monkeypatch.setenv("CERTFILE", "no.pem")
    result = check()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: TLS needs both a certificate and a key\n"


def test_the_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A state directory that a server could not use is refused; a good one is not made."""
    monkeypatch.setenv("SSE_STATE_DIR", str(tmp_path / "state"))
    assert check().exit_code == 0
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").touch()
    assert_refused(f"SSE_STATE_DIR: {tmp_path}/state is not a directory; name a directory")


def test_a_check_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that cannot be started refuses the reload."""
    monkeypatch.setattr(serving, "self_command", lambda: ["/nowhere/at/all"])
    assert str(problem()).startswith("the check could not be started: ")


def test_redis_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server starts without it, so this is a warning; the password is not shown."""
    monkeypatch.setenv("SSE_BUS_URL", "redis://me:hunter2@127.0.0.1:1/0")
    result = check()
    assert (result.exit_code, result.stdout) == (0, serving.CAN_START + "\n")
    assert result.stderr.startswith("Warning: SSE_BUS_URL: Redis at redis://127.0.0.1:1/0 gives")
    assert "hunter2" not in result.stderr


@pytest.mark.needs("redis")
def test_redis_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password is an error, and an unsafe setting is a warning."""
    with RedisServer(with_port=True) as redis:
        monkeypatch.setenv("SSE_BUS_URL", f"redis://127.0.0.1:{redis.port}")
        result = check()
        assert result.exit_code == 0
        assert "Warning: SSE_BUS_URL: appendonly is off" in result.stderr
        monkeypatch.setenv("SSE_BUS_URL", f"redis://me:hunter2@127.0.0.1:{redis.port}")
        assert_refused("SSE_BUS_URL: Redis at ")


def test_the_package_of_redis_is_not_imported_without_need() -> None:
    """It takes time and memory, and it may be missing."""
    script = (
        "from gateway_shim.event_loop.patching import patch_process; patch_process()\n"
        "import sys\nfrom app import create_app\ncreate_app()\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'redis'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
