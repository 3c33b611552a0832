"""One run of the bench: measure, print the table, write the files."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from app.bench.context import BenchContext
from app.bench.environment import require_linux
from app.bench.errors import BenchFailed
from app.bench.plan import Plan, fit
from app.bench.progress import BenchProgress
from app.bench.results.figures import Results
from app.bench.results.plot import check_plot, draw
from app.bench.results.table import render
from app.bench.sections import (
    appending,
    bus,
    connecting,
    fan_out,
    http_path,
    latency,
    recovery,
    resuming,
    stalled,
    stalled_cost,
    tls,
    workers,
)
from gateway_shim.server.process.descriptors import raise_limit

__all__ = ["SECTIONS", "run"]

SECTIONS: dict[str, Callable[[BenchContext], None]] = {
    "latency": latency.measure,
    "fan-out": fan_out.measure,
    "http": http_path.measure,
    "connects": connecting.measure,
    "slow-consumers": stalled.measure,
    "stalled-cost": stalled_cost.measure,
    "recovery": recovery.measure,
    "resume": resuming.measure,
    "append": appending.measure,
    "tls": tls.measure,
    "workers": workers.measure,
    "redis": bus.measure,
}
"""The function of each section."""


def run(
    wanted: Plan,
    sections: Sequence[str],
    gateway_command: str | None,
    certificate: tuple[str, str] | None,
    plot: Path | None,
    json_file: Path | None,
) -> Results:
    """Measure, print the table, and write the requested files.

    Args:
        wanted: the sizes of the run, if this machine allows them.
        sections: the names of the sections to run, from :data:`SECTIONS`.
        gateway_command: the command that starts the gateway of the HTTP path; None for the shim.
        certificate: the file names of the certificate and the key for the section tls.
        plot: the file of the plot, or None.
        json_file: the JSON file of all figures, or None.

    Raises:
        BenchFailed: a measurement failed; no process is left running.
    """
    signal.signal(signal.SIGTERM, _interrupt)  # SIGTERM stops every server, as Ctrl-C does
    require_linux()
    if plot is not None:
        check_plot(plot)
    if json_file is not None and not json_file.parent.is_dir():
        raise BenchFailed(f"there is no folder {json_file.parent}")
    plan, change = fit(wanted, raise_limit())
    progress = BenchProgress(len(sections), sys.stderr)
    if change is not None:
        sys.stderr.write(change + "\n")
    results = Results(plan.judged)
    context = BenchContext(plan, results, progress.tell, gateway_command, certificate)
    try:
        for name in sections:
            SECTIONS[name](context)
            progress.advance()
    finally:
        progress.clear()
    sys.stdout.write(render(results) + "\n")
    if json_file is not None:
        document = {"machine": _machine(), **results.document()}
        json_file.write_text(json.dumps(document, indent=2) + "\n")
    if plot is not None:
        draw(results, plot)
    return results


def _machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "architecture": platform.machine(),
    }


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
