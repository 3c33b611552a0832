"""``sse-monolith bench``: its options."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["SECTION_NAMES", "bench_command"]

SECTION_NAMES = ("latency", "fan-out", "http", "connects", "slow-consumers", "recovery", "tls")
"""What can be measured, in the order in which it is."""

_STREAMS = 5000


@click.command()
@click.option(
    "--streams",
    type=click.IntRange(10),
    help=f"How many streams most figures are about.  [default: {_STREAMS}; with --quick: 200]",
)
@click.option("--events", type=click.IntRange(1), help="Events of one burst.")
@click.option("--quick", is_flag=True, help="A short run, to see that everything works.")
@click.option(
    "--only",
    type=click.Choice(SECTION_NAMES),
    multiple=True,
    help="Measure this section only; may be given several times.",
)
@click.option(
    "--gateway-command",
    metavar="CMD",
    help="Measure this gateway on the HTTP path instead of the shim; {port} and {callback_url}"
    " in it are replaced, and PORT and CALLBACK_URL are in its environment.",
)
@click.option("--certfile", help="Measure streams over TLS too, with this certificate, PEM.")
@click.option("--keyfile", help="Its private key, PEM.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the curves: .svg or .png.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write all figures as JSON.",
)
@click.option("--strict", is_flag=True, help="End with status 1 if a goal is missed.")
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
    """Measure how near the streams come to what the kernel can do.

    Starts all that it measures, on loopback, and stops it again. Takes about four minutes, with
    --quick half of one. Let nothing else run meanwhile.
    """
    # Here, not above: the other commands import this module too, and gunicorn's arbiter must not
    # import what its worker has to import after gevent has patched it.
    from app.bench import plan, run
    from app.bench.errors import BenchFailed

    wanted = plan.quick(streams, events) if quick else plan.full(streams or _STREAMS, events)
    if bool(certfile) != bool(keyfile):
        raise click.UsageError("--certfile and --keyfile go together")
    certificate = (certfile, keyfile) if certfile and keyfile else None
    able = [name for name in SECTION_NAMES if name != "tls" or certificate]
    sections = [name for name in SECTION_NAMES if name in (only or able)]
    try:
        results = run.run(wanted, sections, gateway_command, certificate, plot, json_file)
    except BenchFailed as exc:
        raise click.ClickException(str(exc)) from exc
    if strict and results.missed:
        sys.exit(1)
