"""The options of the command ``sse-monolith bench``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.bench import plan, run
from app.bench.errors import BenchFailed
from app.bench.measured.redis_server import redis_problem

__all__ = ["SECTION_NAMES", "bench_command"]

SECTION_NAMES = (
    "latency",
    "fan-out",
    "http",
    "connects",
    "slow-consumers",
    "stalled-cost",
    "recovery",
    "resume",
    "append",
    "tls",
    "workers",
    "redis",
)
"""The names of all sections, in the order in which they run."""

_STREAMS = 5000


@click.command(short_help="Compare the event streams with the limit of this machine.")
@click.option(
    "--streams",
    type=click.IntRange(10),
    help=f"Number of streams for most figures.  [default: {_STREAMS}; with --quick: 200]",
)
@click.option("--events", type=click.IntRange(1), help="Number of events in a burst.")
@click.option("--quick", is_flag=True, help="Make a short run, to check that everything works.")
@click.option(
    "--only",
    type=click.Choice(SECTION_NAMES),
    multiple=True,
    help="Run only this section. The option may be repeated.",
)
@click.option(
    "--gateway-command",
    metavar="CMD",
    help="Measure the gateway that CMD starts, instead of the shim, in the section http. {port} and"
    " {callback_url} in CMD are replaced; PORT and CALLBACK_URL are in its environment.",
)
@click.option("--certfile", help="TLS certificate chain, PEM. Without it, tls is not measured.")
@click.option("--keyfile", help="TLS private key, PEM.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the curves to a .svg or .png file.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write all figures to a JSON file.",
)
@click.option("--strict", is_flag=True, help="Exit with status 1 if a goal is missed.")
def bench_command(
    streams: int | None,
    events: int | None,
    quick: bool,
    only: tuple[str, ...],
    gateway_command: str | None,
    certfile: str | None,
    keyfile: str | None,
    plot: Path | None,
    json_file: Path | None,
    strict: bool,
) -> None:
    """Compare the speed of the event streams with the limit of this machine's kernel.

    The command starts and stops all servers and clients itself, on loopback. It takes about ten
    minutes, or one minute with --quick. Run nothing else on the machine meanwhile.
    """
    wanted = plan.quick(streams, events) if quick else plan.full(streams or _STREAMS, events)
    if bool(certfile) != bool(keyfile):
        raise click.UsageError("--certfile and --keyfile must be used together")
    certificate = (certfile, keyfile) if certfile and keyfile else None
    chosen = only or _possible(certificate)
    sections = [name for name in SECTION_NAMES if name in chosen]
    try:
        results = run.run(wanted, sections, gateway_command, certificate, plot, json_file)
    except BenchFailed as exc:
        raise click.ClickException(str(exc)) from exc
    if strict and results.missed:
        sys.exit(1)


def _possible(certificate: tuple[str, str] | None) -> list[str]:
    """Return the sections that can run, and tell the user why Redis is not measured."""
    missing = set() if certificate else {"tls"}
    problem = redis_problem()
    if problem is not None:
        click.echo(f"Redis is not measured: {problem}", err=True)
        missing.add("redis")
    return [name for name in SECTION_NAMES if name not in missing]
