"""The command, in a process that gevent has not patched: exit statuses, messages, cleanup."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from gateway_shim.parity.cli import parity
from gateway_shim.parity.judge.divergences import DIVERGENCES
from gateway_shim.parity.judge.recording import load
from tests.gateway_shim.parity.conftest import ROOT
from tests.gateway_shim.parity.play.few_processes import FEW, LEFT_OUT
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow

_SHIM = shlex.join([sys.executable, "-m", "gateway_shim"])
_MUTANT = shlex.join([sys.executable, "-m", "tests.gateway_shim.parity.mutants"])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _parity(
    *arguments: str, module: str = "gateway_shim.parity"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=2 * TIME_LIMIT,
    )


@pytest.mark.parametrize(
    ("dialect", "name", "module", "left_out"),
    [
        ("named", "node-2025-11", "gateway_shim.parity", 0),
        ("envelope", "node-2026-05", "tests.gateway_shim.parity.play.few_processes", len(LEFT_OUT)),
    ],
    ids=["named", "envelope"],
)
def test_the_shim_differs_only_as_expected(
    dialect: str, name: str, module: str, left_out: int, tmp_path: Path
) -> None:
    """Every scenario in both dialects is the same or diverges as expected; the exit status is 0."""
    junit = tmp_path / "junit.xml"
    only_envelope = 6
    numbers = ", ".join(
        str(number) for number in DIVERGENCES if dialect == "envelope" or number != only_envelope
    )
    done = _parity(
        "run", "--command", _SHIM, "--dialect", dialect, "--require-divergences",
        "--junit", str(junit), module=module,
    )  # fmt: skip
    last = done.stdout.splitlines()[-1]
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"against  {name} (dialect {dialect})" in done.stdout
    assert f"expected divergence ({numbers}), 0 different; " in last
    root = ElementTree.parse(junit).getroot()
    played = len(load(name).entries) - left_out
    assert (root.get("tests"), root.get("failures")) == (str(played), "0")


def test_the_dialect_is_no_part_of_what_is_played_once() -> None:
    """The two recordings are the same where only the run in the one dialect plays the scenario."""
    named, envelope = load("node-2025-11").entries, load("node-2026-05").entries
    assert len(FEW) + len(LEFT_OUT) == len(named)
    for scenario in LEFT_OUT:
        assert named[scenario.id] == envelope[scenario.id], scenario.id


def test_a_fault_is_exit_status_1_with_a_readable_difference() -> None:
    """The report shows the expected value and the actual value one below the other."""
    done = _parity("run", "--command", f"{_MUTANT} wrong_error_code", "--only", "send_close")
    assert done.returncode == 1
    assert "send_close  different" in done.stdout
    assert (
        "different: send_close\n  at again.json.error.code\n"
        '    node-2025-11  "TOKEN_NOT_FOUND"\n    gateway       "UNKNOWN_TOKEN"\n'
    ) in done.stdout


def test_two_gateways_are_compared() -> None:
    """Two equal gateways agree, and a faulty gateway differs."""
    same = _parity("diff", "--a", _SHIM, "--b", _SHIM, "--only", "send_events/*", "-v")
    assert (same.returncode, "send_events/named " in same.stdout) == (0, True), same.stderr
    assert "21 scenarios: 21 same, 0 expected divergence, 0 different" in same.stdout
    whole = _parity("diff", "--a", _SHIM, "--b", _SHIM, "--only", "send_events")
    assert "21 scenarios: 21 same" in whole.stdout, whole.stderr
    mutant = f"{_MUTANT} lost_newline"
    differs = _parity("diff", "--a", _SHIM, "--b", mutant, "--only", "send_events/colon")
    assert (differs.returncode, '    a  "data: :x\\n\\n"' in differs.stdout) == (1, True)


def test_a_recording_can_be_made_and_used(tmp_path: Path) -> None:
    """A gateway is the same as its own recording."""
    out = tmp_path / "mine.json"
    done = _parity("record", "--command", _SHIM, "--out", str(out), "--only", "connect_o*")
    assert (done.returncode, done.stdout) == (0, f"1 scenario recorded in {out}\n"), done.stderr
    assert list(json.loads(out.read_text())) == ["connect_ok"]
    again = _parity("run", "--command", _SHIM, "--against", str(out), "--only", "connect_[of]*")
    assert again.returncode == 0
    assert "connect_forwards_headers  not recorded" in again.stdout
    assert "2 scenarios: 1 same, 0 expected divergence, 0 different, 1 not rec" in again.stdout


def test_fuzzing_prints_what_can_be_replayed() -> None:
    """The replay of the smallest case shows the same difference."""
    mutant = f"{_MUTANT} splits_at_unicode_line_ends"
    case = '[{"do":"Open","target":"/"},{"do":"Send","body":{"token":"$T","event":' \
        '{"data":"\\u2028"}}},{"do":"Fence"}]'  # fmt: skip
    done = _parity("fuzz", "--a", _SHIM, "--b", mutant, "--replay", case)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"--replay {shlex.quote(case)}" in done.stdout
    assert "1 case, seed 1: 0 same, 1 different; " in done.stdout
    same = _parity("fuzz", "--a", _SHIM, "--b", _SHIM, "--cases", "5", "--seed", "4")
    assert (same.returncode, "5 cases, seed 4: 5 same, 0 different; " in same.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "give either --command or --url"),
        (["run", "--command", "x", "--url", "y"], "give either --command or --url"),
        (["run", "--command", "no-such-command"], "the command does not start"),
        (["run", "--command", "false"], "the gateway ended (exit status 1) before it was ready"),
        (["run", "--command", "x", "--against", "nowhere"], "there is no recording nowhere"),
        (["run", "--command", "x", "--only", "nothing"], "--only nothing matches no scenario"),
        (["run", "--url", "ftp://x"], "give http://host:port"),
        (["fuzz", "--a", "x", "--b", "y", "--replay", "{"], "--replay: "),
        (["fuzz", "--a", "no-such-command", "--b", "y"], "the command does not start"),
        (["diff", "--a", "no-such-command", "--b", "no-such-command"], "does not start"),
        (["record", "--command", "no-such-command", "--out", "x"], "does not start"),
    ],
)
def test_an_impossible_run_is_exit_status_2(arguments: list[str], message: str) -> None:
    """A run that is impossible ends with a message and without a traceback."""
    done = CliRunner().invoke(parity, arguments)
    assert (done.exit_code, message in done.output) == (2, True), done.output
    assert "Traceback" not in done.output


def test_a_file_that_cannot_be_written_is_exit_status_2(tmp_path: Path) -> None:
    """A file that cannot be written is reported after the run."""
    out = str(tmp_path / "no" / "file.json")
    done = _parity("record", "--command", _SHIM, "--out", out, "--only", "close_only")
    assert (done.returncode, "cannot write" in done.stderr) == (2, True)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_leaves_nothing(sent: signal.Signals, tmp_path: Path) -> None:
    """A run that is interrupted by either signal leaves no gateway and no file."""
    environment = {**_environment(), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "gateway_shim.parity", "run", "--command", _SHIM]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + TIME_LIMIT
        while len(list(tmp_path.glob("gateway-*.log"))) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=TIME_LIMIT)
    assert (process.returncode, errors) == (1, b"\nAborted!\n")
    assert [file.name for file in tmp_path.iterdir()] == []
    mine = f"TMPDIR={tmp_path}".encode()
    left = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mine in entry.read_bytes():
                left.append(entry)
        except OSError:
            continue  # the process has ended, or belongs to another user
    assert left == []
