"""Whether a server could start. In processes of its own: it sets up logging."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.program.self_command import self_command
from app.serving import gunicorn_settings as serving
from tests.support.timing import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(serving.__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of a developer's ``.env``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def problem() -> str | None:
    """Why a worker could not start, as the arbiter learns it."""
    check = serving.start_check()
    wait_until(check.is_over, "the check's end")
    return check.problem


def test_it_could() -> None:
    """One line, status 0; and so the server says nothing against it."""
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
def test_it_could_not(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Whatever a worker would stumble over, in one line."""
    monkeypatch.setenv(name, value)
    assert str(problem()).startswith(f"{name}: ")


def test_a_line_of_the_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Whoever reloads keeps the running worker: the check says no."""
    (tmp_path / ".env").write_text('\nSSE_AUTHORIZE="a.b:c\nPORT=1\n')
    assert problem() == (
        ".env line 2: the quote of SSE_AUTHORIZE is not closed, or something follows after it"
    )


def test_a_misspelt_setting(tmp_path: Path) -> None:
    """A warning, and the server could start all the same."""
    (tmp_path / ".env").write_text("ADMIN_BINDS=127.0.0.1:1\n")
    done = subprocess.run([*self_command(), "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, serving.CAN_START + "\n")
    assert done.stderr == (
        "Warning: ADMIN_BINDS in .env line 1 is not a setting; did you mean ADMIN_BIND?\n"
    )
    assert problem() is None


def test_hints_for_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is worth setting is said, and the server could start all the same."""
    monkeypatch.setenv("FLASK_ENV", "production")
    monkeypatch.setenv("SSE_CALLBACK_SECRET", "s3cret")
    done = subprocess.run([*self_command(), "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, serving.CAN_START + "\n")
    hints = done.stderr.splitlines()
    assert [hint.split(" is ")[0] for hint in hints] == ["Hint: ADMIN_BIND", "Hint: HOST"]
    assert problem() is None


def test_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of the start itself."""
    monkeypatch.setenv("HOST", "0.0.0.0")
    assert str(problem()).startswith("HOST is 0.0.0.0: other machines could start tasks")


def test_status_and_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1; the certificate is looked at too."""
    monkeypatch.setenv("CERTFILE", "no.pem")
    done = subprocess.run([*self_command(), "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: TLS needs both a certificate and a key\n"


def test_it_cannot_even_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the answer is no."""
    monkeypatch.setattr(serving, "self_command", lambda: ["/nowhere/at/all"])
    assert str(problem()).startswith("the check did not work: ")
