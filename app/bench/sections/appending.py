"""The section append: the event log alone, without streams."""

from __future__ import annotations

from app.bench.bursts import SECONDS
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.log_appends import log_folder
from app.bench.results.figures import quantile

__all__ = ["measure"]

_LOG = "app.bench.measured.log_appends"
_PAUSE_SECONDS = 0.005


def measure(context: BenchContext) -> None:
    """Measure the time of one append to each kind of log, and the wake of another process."""
    plan, add = context.plan, context.results.add
    context.tell(f"append: {plan.appends:,} appends to the event log")
    with Helper(_LOG) as writer, Helper(_LOG) as reader, log_folder() as folder:
        in_memory = writer.call("memory", appends=plan.appends)
        in_files = writer.call("files", appends=plan.appends)
        events = plan.single_events
        context.tell(f"append: {events} entries that another process reads")
        for helper in (reader, writer):
            helper.call("open", folder=str(folder))
        reader.begin("read", events=events, seconds=SECONDS)
        writer.call("append", events=events, pause=_PAUSE_SECONDS)
        delays = reader.finish()
    add("append_memory_us", "append to the event log in one process's memory", in_memory, "µs")
    add("append_files_us", "append to the event log in files", in_files, "µs")
    text = "append to the event log in files, until another process has read it, p50"
    add("wake_p50_us", text, quantile(delays, 0.5), "µs")
