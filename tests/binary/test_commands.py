"""The commands of the binary."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.cli import COMMANDS
from gateway_shim.parity.ports import free_port
from tests.binary.machine import BinaryServer, run


@pytest.mark.parametrize("command", COMMANDS)
def test_help(binary: Path, command: str) -> None:
    """Every command has its help."""
    ran = run([binary, command, "--help"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: sse-monolith {command} ")


def test_version(binary: Path) -> None:
    """``version`` prints the build and the requirements."""
    ran = run([binary, "version"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(
        r"sse-monolith  \S+\n"
        r"python        3\.\S+\n"
        r"gevent        \S+\n"
        r"gunicorn      \S+\n"
        r"build         commit \S+ of \S+Z, PyInstaller \S+\n"
        r"needs         Linux \S+, glibc 2\.\d+ or later\n",
        ran.stdout,
    )
    assert run([binary, "--version"]).stdout.startswith("sse-monolith, version ")


def test_config(binary: Path, tmp_path: Path) -> None:
    """``config`` reads the environment, and .env in the working directory."""
    (tmp_path / ".env").write_text("PORT=5999\n")
    ran = run([binary, "config", "--json"], env={"SSE_CALLBACK_SECRET": "s3cret"}, cwd=tmp_path)
    shown = json.loads(ran.stdout)
    assert shown["PORT"] == {"value": 5999, "source": ".env"}
    assert shown["SSE_CALLBACK_SECRET"] == {"value": "***", "source": "environment"}
    assert shown["HOST"] == {"value": "127.0.0.1", "source": "default"}


def test_healthcheck(binary: Path, tmp_path: Path) -> None:
    """``healthcheck`` ends with status 0 if the server answers, otherwise with 1."""
    with BinaryServer([binary], cwd=tmp_path) as server:
        ran = run([binary, "healthcheck"], env={"PORT": str(server.port)})
        assert (ran.returncode, ran.stdout) == (0, f"ok: {server.url}/healthz\n")
    ran = run([binary, "healthcheck"], env={"PORT": str(free_port())})
    assert ran.returncode == 1
    assert ran.stderr.endswith("does not answer: Connection refused\n")


def test_licenses(binary: Path) -> None:
    """``licenses`` prints the licenses of Python, the bootloader, libraries and distributions."""
    ran = run([binary, "licenses"])
    assert (ran.returncode, ran.stderr) == (0, "")
    for name in ("gevent", "gunicorn", "Flask", "pydantic_core", "Python", "PyInstaller", "libev"):
        assert re.search(rf"^{name}[ \w]* \d\S*: \S", ran.stdout, re.MULTILINE), name
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in ran.stdout
    assert "It comes without a license text" not in ran.stdout


@pytest.mark.parametrize("pattern", ["[!cd]*", "c[!a]*", "callback_[!u]*"])
def test_parity_with_itself(binary: Path, pattern: str, tmp_path: Path) -> None:
    """The binary contains the contract kit with its recordings, and passes it.

    Signals and TLS, which a binary could get wrong, are among the scenarios. Spellings of the
    callback URL and the divergences are not: most of them start a gateway of their own, and what
    they ask is the same for the binary and its sources, which have to pass all of the kit.
    """
    env = {"TMPDIR": str(tmp_path)}
    command = [binary, "parity", "run", "--command", f"{binary} gateway", "--only", pattern]
    ran = run(command, env=env, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"^\d+ scenarios: .* 0 different;", ran.stdout, re.MULTILINE)


def test_fuzz_against_itself(binary: Path, tmp_path: Path) -> None:
    """The binary passes generated cases of the contract kit, too."""
    gateway = f"{binary} gateway"
    command = [binary, "parity", "fuzz", "--a", gateway, "--b", gateway, "--cases", "10"]
    ran = run(command, env={"TMPDIR": str(tmp_path)}, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert "10 cases, seed 1: 10 same, 0 different" in ran.stdout


def test_bench(binary: Path, tmp_path: Path) -> None:
    """The helper processes of ``bench`` are the binary itself."""
    command = [binary, "bench", "--quick", "--only", "connects", "--json", "figures.json"]
    ran = run(command, env={"TMPDIR": str(tmp_path)}, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "figures.json").read_text())


def test_only_our_modules_run(binary: Path) -> None:
    """``-m`` runs only the modules of the binary's own processes, and is not a Python."""
    ran = run([binary, "-m", "http.server"])
    assert (ran.returncode, "No such option" in ran.stderr) == (2, True)
