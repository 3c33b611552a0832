"""The options of the command ``bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.bench import command, plan
from app.bench import run as run_module
from app.bench.errors import BenchFailed
from app.bench.results.figures import Results


@pytest.fixture(autouse=True)
def _redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have all that Redis needs."""
    monkeypatch.setattr(command, "redis_problem", lambda: None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Replace the run by one that only notes its arguments and misses one goal."""
    noted: list[tuple[Any, ...]] = []

    def run(*arguments: Any) -> Results:
        noted.append(arguments)
        results = Results(judged=True)
        results.add("single_p50_ms", "p50", 99.0, "ms")
        return results

    monkeypatch.setattr(run_module, "run", run)
    return noted


def bench(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command.bench_command, arguments)


def test_defaults(asked: list[tuple[Any, ...]]) -> None:
    """By default, all sections except tls run, and a missed goal is only shown."""
    assert bench().exit_code == 0
    sections = [name for name in command.SECTION_NAMES if name != "tls"]
    assert asked == [(plan.full(5000, None), sections, None, None, None, None)]


def test_certificate(asked: list[tuple[Any, ...]]) -> None:
    """With a certificate, tls is measured, too; half of a certificate is an error."""
    bench("--certfile", "c.pem", "--keyfile", "k.pem")
    assert asked[0][1:4] == (list(command.SECTION_NAMES), None, ("c.pem", "k.pem"))
    for half in ("--certfile", "--keyfile"):
        result = bench(half, "c.pem")
        assert (result.exit_code, len(asked)) == (2, 1)
        assert "must be used together" in result.output


def test_without_redis(asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without redis-server, one line says that Redis is not measured; who wants it, gets it."""
    monkeypatch.setattr(command, "redis_problem", lambda: "there is no redis-server")
    result = bench()
    assert result.exit_code == 0
    assert result.stderr == "Redis is not measured: there is no redis-server\n"
    assert asked[0][1] == [name for name in command.SECTION_NAMES if name not in ("tls", "redis")]
    assert bench("--only", "redis").stderr == ""  # the section itself says it
    assert asked[1][1] == ["redis"]


def test_options(asked: list[tuple[Any, ...]]) -> None:
    """Each option is passed on, and the sections keep their order."""
    result = bench(
        *("--streams", "100", "--events", "9", "--only", "recovery", "--only", "http"),
        *("--gateway-command", "node x", "--plot", "a.svg", "--json", "a.json"),
    )
    assert result.exit_code == 0
    sections = ["http", "recovery"]
    files = (Path("a.svg"), Path("a.json"))
    assert asked == [(plan.full(100, 9), sections, "node x", None, *files)]


def test_quick(asked: list[tuple[Any, ...]]) -> None:
    """A quick run is smaller, unless the number of streams is given."""
    bench("--quick")
    bench("--quick", "--streams", "50")
    assert [arguments[0] for arguments in asked] == [plan.quick(None, None), plan.quick(50, None)]


def test_strict(asked: list[tuple[Any, ...]]) -> None:
    """With ``--strict``, a missed goal ends with status 1."""
    assert bench("--strict").exit_code == 1


def test_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed measurement is one line with status 1."""

    def run(*_: Any) -> Results:
        raise BenchFailed("no luck")

    monkeypatch.setattr(run_module, "run", run)
    result = bench()
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: no luck\n")


def test_unknown_section() -> None:
    """An unknown section is refused with the list of sections."""
    result = bench("--only", "nonsense")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in command.SECTION_NAMES)


def test_section_names() -> None:
    """The names in the command's help are those of all sections."""
    assert list(run_module.SECTIONS) == list(command.SECTION_NAMES)
