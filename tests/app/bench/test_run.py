"""A run of the bench with sections that take no time."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.bench import run as run_module
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.plan import quick
from app.bench.run import SECTIONS, run


def one(context: BenchContext) -> None:
    """Add a figure."""
    context.tell("measuring")
    context.results.add("single_p50_ms", "p50", 0.25, "ms")


def broken(context: BenchContext) -> None:
    """Fail."""
    raise BenchFailed("no luck")


@pytest.fixture(autouse=True)
def _sections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace the sections, and restore the signal handler afterwards."""
    monkeypatch.setattr(run_module, "SECTIONS", {"one": one, "broken": broken})
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The results go to standard output and to the file, the progress to standard error."""
    file = tmp_path / "bench.json"
    results = run(quick(None, None), ["one"], None, None, None, file)
    out, err = capsys.readouterr()
    assert results.value("single_p50_ms") == 0.25
    assert out.splitlines()[-1].startswith("p50   0.25 ms")
    assert err == "[1/1] measuring\n"
    document = json.loads(file.read_text())
    assert document["figures"][0]["value"] == 0.25
    assert document["machine"].keys() == {"cores", "kernel", "python", "architecture"}


def test_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed measurement ends the run."""
    with pytest.raises(BenchFailed, match="no luck"):
        run(quick(None, None), ["one", "broken"], None, None, None, None)
    assert capsys.readouterr().out == ""


def test_no_folder(tmp_path: Path) -> None:
    """A file that cannot be written is reported before anything is measured."""
    with pytest.raises(BenchFailed, match="there is no folder"):
        run(quick(None, None), ["broken"], None, None, None, tmp_path / "nowhere" / "bench.json")
    with pytest.raises(BenchFailed, match=r"must end with \.svg or \.png"):
        run(quick(None, None), ["broken"], None, None, tmp_path / "bench.txt", None)


def test_few_descriptors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If fewer streams are possible, the run says so."""
    monkeypatch.setattr(run_module, "raise_limit", lambda: 500)
    run(quick(None, None), ["one"], None, None, None, None)
    assert "so 400 streams become 200" in capsys.readouterr().err


def test_sigterm() -> None:
    """SIGTERM ends a run as Ctrl-C does."""
    run(quick(None, None), ["one"], None, None, None, None)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_sections() -> None:
    """Each section has its own function."""
    assert len(set(SECTIONS.values())) == len(SECTIONS) == 12
