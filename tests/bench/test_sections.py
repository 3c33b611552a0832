"""Short runs of the bench: every section measures its figures, and no process is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme

from app.bench.command import SECTION_NAMES
from app.bench.results.figures import GOALS
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

COMMAND = [sys.executable, "-m", "app", "bench", "--quick", "--streams", "20", "--events", "5"]

FIGURES = {
    "latency": {"single_p50_ms", "single_p99_ms", "single_max_ms", "single_off_p50_ms"},
    "fan-out": {
        "limit_per_second",
        "fan_out_per_second",
        "fan_out_to_limit",
        "fan_out_off_to_limit",
        "broadcast_p50_ms",
        "broadcast_p99_ms",
        "broadcast_max_ms",
        "client_cpu_percent",
        "client_per_second",
        "cost_few_us",
        "cost_many_us",
        "cost_many_to_few",
        "limit_cost_many_to_few",
        "back_to_back_many_to_few",
        "limit_back_to_back_many_to_few",
    },
    "http": {"http_serial_per_second", "http_parallel_per_second"},
    "connects": {
        "bare_connects_per_second",
        "connects_per_second",
        "bare_connect_cpu_us",
        "connect_cpu_us",
        "connects_of_floor",
        "memory_per_stream_kib",
        "idle_cpu_percent",
    },
    "slow-consumers": {"stalled_to_without"},
    "stalled-cost": {
        "stalled_memory_kib",
        "stalled_trimmed_kib",
        "stalled_off_memory_kib",
        "stalled_cpu_ns",
        "stalled_off_cpu_ns",
        "stalled_cpu_to_off",
    },
    "recovery": {"recovery_seconds"},
    "resume": {
        "connect_storm_seconds",
        "resume_storm_seconds",
        "resume_to_connect",
        "connect_cpu_ms",
        "resume_cpu_ms",
        "connect_live_p99_ms",
        "resume_live_p99_ms",
    },
    "append": {"append_memory_us", "append_files_us", "wake_p50_us"},
    "tls": {
        "tls_per_second",
        "tls_of_plain",
        "tls_cpu_of_plain",
        "tls_bare_of_plain",
        "tls_memory_kib",
        "tls_connects_per_second",
        "tls_connect_cpu_ms",
        "tls_resumed_connects_per_second",
        "tls_resumed_connect_cpu_ms",
    },
    "workers": {
        "workers_one_connects",
        "workers_two_connects",
        "workers_connects_seen",
        "workers_connects_ratio",
        "workers_one_deliveries",
        "workers_two_deliveries",
        "workers_deliveries_seen",
        "workers_deliveries_ratio",
        "workers_smallest_share",
    },
    "redis": {
        "redis_p50_ms",
        "redis_p99_ms",
        "redis_off_p50_ms",
        "redis_added_p50_ms",
        "redis_to_without",
        "redis_way_p50_ms",
        "redis_way_p99_ms",
        "redis_appends_per_second",
        "redis_carrier_us",
        "redis_server_us",
        "redis_parallel_appends_per_second",
        "redis_parallel_carrier_us",
        "redis_parallel_server_us",
        "redis_connect_storm_seconds",
        "redis_resume_storm_seconds",
        "redis_resume_to_connect",
        "redis_connect_cpu_ms",
        "redis_resume_cpu_ms",
        "redis_connect_live_p99_ms",
        "redis_resume_live_p99_ms",
    },
}

DIFFERENCES = {"redis_added_p50_ms"}
"""The figures that may be negative in a short run on a busy machine."""

RUNS = (
    ("latency", "fan-out", "stalled-cost", "resume", "append"),
    ("http", "connects", "slow-consumers", "recovery", "tls", "workers"),
    ("redis",),
)
"""The sections that run together, because a program that starts costs more than a short section.
With fan-out and http together, there is one figure more."""


def environment() -> dict[str, str]:
    """Return the environment of a process that can import the package."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def certificate(folder: Path) -> list[str]:
    """Return the options for a new certificate of an unknown authority."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    return ["--certfile", str(folder / "cert.pem"), "--keyfile", str(folder / "key.pem")]


def test_tls_needs_a_certificate() -> None:
    """Without a certificate, the section tls reports which options it needs."""
    done = subprocess.run(
        [*COMMAND, "--only", "tls"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "the section tls needs --certfile and --keyfile" in done.stderr
    assert "Traceback" not in done.stderr


def test_redis_needs_a_server(tmp_path: Path) -> None:
    """Without redis-server in PATH, the section redis reports that."""
    done = subprocess.run(
        [*COMMAND, "--only", "redis"],
        env={**environment(), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "the section redis cannot run: there is no redis-server in PATH" in done.stderr
    assert "Traceback" not in done.stderr


def children_of(pid: int) -> list[int]:
    """Return the PIDs of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param(sections, marks=pytest.mark.needs("redis") if "redis" in sections else ())
        for sections in RUNS
    ],
)
def test_sections(sections: tuple[str, ...], tmp_path: Path) -> None:
    """Each section measures all of its figures, and each value is plausible."""
    file = tmp_path / "bench.json"
    options = [option for section in sections for option in ("--only", section)]
    if "tls" in sections:
        options += certificate(tmp_path)
    done = subprocess.run(
        [*COMMAND, "--json", str(file), *options],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr
    document = json.loads(file.read_text())
    found = {figure["key"]: figure["value"] for figure in document["figures"]}
    assert found.keys() == set[str]().union(*(FIGURES[section] for section in sections))
    sizes = {key: abs(value) if key in DIFFERENCES else value for key, value in found.items()}
    assert {key: size for key, size in sizes.items() if not 0 <= size < 10**7} == {}
    for figure in document["figures"]:
        assert figure["text"] in done.stdout


def test_all_sections_run() -> None:
    """Each section is in one run."""
    assert sorted(section for run in RUNS for section in run) == sorted(SECTION_NAMES)


def test_all_goals_are_measured() -> None:
    """Each goal belongs to a figure; the ratio to HTTP needs two sections."""
    measured = set[str]().union(*FIGURES.values()) | {"fan_out_to_http"}
    assert GOALS.keys() <= measured


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a run leaves no process behind."""
    bench = subprocess.Popen(
        [*COMMAND, "--only", "recovery"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert bench.stderr is not None
    with bench.stderr:
        assert "opening" in bench.stderr.readline()
        children = children_of(bench.pid)
        bench.send_signal(signal.SIGINT)
        assert bench.stderr.read().strip().endswith("Aborted!")
    assert bench.wait() == 1
    assert len(children) == 2
    deadline = time.monotonic() + TIME_LIMIT
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)
