"""The command ``parity``: run, diff, record, fuzz."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

from gateway_shim.parity import options
from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.fuzzer import Fuzzer
from gateway_shim.parity.fuzz.generation import generate
from gateway_shim.parity.fuzz.result import render
from gateway_shim.parity.judge import recording, report, verdict
from gateway_shim.parity.options import Unusable
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.parallel import play_on_all
from gateway_shim.parity.play.targets import Command, Target, Url
from gateway_shim.parity.progress_bar import ProgressBar
from gateway_shim.parity.scenario import Scenario

__all__ = ["main", "parity"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def parity() -> None:
    """Check whether a gateway behaves as the recorded contract says.

    CMD is the command that starts a gateway, for example "node gateway/dist/index.js" or "python -m
    gateway_shim". It gets PORT, CALLBACK_URL and HEARTBEAT_INTERVAL_SECONDS in its environment and
    is started several times.

    Exit status: 0 if nothing is different, 1 if something is different, 2 if the gateway cannot be
    used.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)  # as with Ctrl-C, every gateway is stopped


@parity.command()
@click.option("--command", "command", metavar="CMD", help="Start this gateway.")
@click.option("--url", help="Use this running gateway.")
@click.option(
    "--callback-port",
    type=click.IntRange(1, 65535),
    default=8765,
    show_default=True,
    help="With --url: the port in that gateway's CALLBACK_URL.",
)
@click.option("--against", metavar="RECORDING", help="node-2025-11, node-2026-05, or a file.")
@click.option(
    "--require-divergences",
    is_flag=True,
    help="For our own gateways: each scenario that should diverge from Node's must diverge.",
)
@options.dialect
@options.only
@options.jobs
@options.junit
@options.verbose
def run(
    command: str | None,
    url: str | None,
    callback_port: int,
    against: str | None,
    require_divergences: bool,
    dialect: str | None,
    only: str | None,
    jobs: int,
    junit: Path | None,
    verbose: bool,
) -> None:
    """Compare a gateway with a recording."""
    recorded = options.load_recording(against or recording.BUILT_IN[dialect or "named"])
    if (command is None) == (url is None):
        raise click.UsageError("give either --command or --url")
    target: Target
    if command is not None:
        target = Command(command, options.environment(dialect or recorded.dialect), jobs)
    else:
        target = Url(url or "", callback_port)
    scenarios = options.selected(only)
    if not any(scenario.id in recorded.entries for scenario in scenarios):
        raise Unusable(f"the recording {recorded.name} has none of the chosen scenarios")
    started = time.monotonic()
    seen = _play([target], scenarios)[0]
    verdicts = verdict.judge_run(scenarios, recorded, seen, require_divergences)
    click.echo(f"gateway  {target.name}\nagainst  {recorded.name} (dialect {recorded.dialect})\n")
    if url is not None:
        click.echo(
            "Scenarios that start their own gateway are not played with --url. The stub backend\n"
            f"was http://127.0.0.1:{callback_port}/api/sse/callback?secret=s3cret\n"
        )
    _finish(verdicts, (recorded.name, "gateway"), time.monotonic() - started, junit, verbose)


@parity.command()
@click.option("--a", "a", metavar="CMD", required=True, help="One gateway.")
@click.option("--b", "b", metavar="CMD", required=True, help="The other.")
@options.dialect
@options.only
@options.jobs
@options.junit
@options.verbose
def diff(
    a: str,
    b: str,
    dialect: str | None,
    only: str | None,
    jobs: int,
    junit: Path | None,
    verbose: bool,
) -> None:
    """Play the same scenarios on two gateways and compare what they do."""
    environment = options.environment(dialect)
    scenarios = options.selected(only)
    started = time.monotonic()
    pairs = max(1, jobs // 2)
    first, second = _play(
        [Command(a, environment, pairs), Command(b, environment, pairs)], scenarios
    )
    verdicts = verdict.judge_pair(scenarios, first, second)
    click.echo(f"a  {a}\nb  {b}\n")
    _finish(verdicts, ("a", "b"), time.monotonic() - started, junit, verbose)


@parity.command()
@click.option("--command", "command", metavar="CMD", required=True, help="Start this gateway.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file to write.",
)
@options.dialect
@options.only
@options.jobs
def record(command: str, out: Path, dialect: str | None, only: str | None, jobs: int) -> None:
    """Record what a gateway does in a file for --against."""
    scenarios = options.selected(only)
    seen = _play([Command(command, options.environment(dialect), jobs)], scenarios)[0]
    _write(out, recording.dump(scenarios, seen).encode())
    click.echo(f"{_count(len(seen), 'scenario')} recorded in {out}")


@parity.command("fuzz")
@click.option("--a", "a", metavar="CMD", required=True, help="One gateway.")
@click.option("--b", "b", metavar="CMD", required=True, help="The other.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed gives the same cases."
)
@click.option(
    "--cases", type=click.IntRange(1), default=200, show_default=True, help="The number of cases."
)
@click.option("--replay", metavar="JSON", help="Play only this case.")
@options.dialect
@options.jobs
def fuzz_command(
    a: str, b: str, seed: int, cases: int, replay: str | None, dialect: str | None, jobs: int
) -> None:
    """Play generated cases on two gateways and print what differs.

    A case that differs is shrunk to the smallest case that still differs.
    """
    environment = options.environment(dialect)
    if replay is not None:
        try:
            todo = [Case.from_json(replay)]
        except ValueError as exc:
            raise Unusable(f"--replay: {exc}") from exc
    else:
        todo = generate(seed, cases)
    started = time.monotonic()
    bar = ProgressBar(sys.stderr, len(todo))
    fuzzer = Fuzzer(Command(a, environment), Command(b, environment), jobs)
    try:
        result = fuzzer.run(todo, lambda: bar.step("cases"))
    except GatewayFailed as exc:
        bar.clear()
        raise Unusable(str(exc)) from exc
    bar.clear()
    replay_options = f" --dialect {dialect}" if dialect else ""
    click.echo(render(result, a, b, replay_options))
    click.echo(
        f"{_count(len(todo), 'case')}, seed {seed}: {result.counts()};"
        f" {time.monotonic() - started:.1f} s"
    )
    if result.found or result.once:
        raise SystemExit(1)


def main() -> None:
    """Run the command."""
    parity(prog_name="parity")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _play(targets: Sequence[Target], scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    bar = ProgressBar(sys.stderr, len(scenarios) * len(targets))
    try:
        return play_on_all(targets, scenarios, bar.played)
    except GatewayFailed as exc:
        raise Unusable(str(exc)) from exc
    finally:
        bar.clear()


def _finish(
    verdicts: list[verdict.Verdict],
    sides: tuple[str, str],
    seconds: float,
    junit: Path | None,
    verbose: bool,
) -> None:
    click.echo(report.table(verdicts, *sides, verbose=verbose))
    click.echo("")
    click.echo(report.summary(verdicts, seconds))
    if junit is not None:
        _write(junit, report.junit(verdicts, "parity", seconds))
    if any(found.kind is verdict.Kind.DIFFERENT for found in verdicts):
        raise SystemExit(1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise Unusable(f"cannot write {path}: {exc}") from exc
