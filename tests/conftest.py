"""Shared test set-up: the process is patched for gevent before anything else is imported."""

from gevent import monkey

from gateway_shim.event_loop.child_watcher import use_child_watchers

use_child_watchers()
monkey.patch_all()

from gateway_shim.event_loop.patching import support_native_threads  # noqa: E402 - see above
from gateway_shim.event_loop.serving_process import prepare_serving_process  # noqa: E402

support_native_threads()
prepare_serving_process()

import os  # noqa: E402
import signal  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

from tests.support.parts import require, summary  # noqa: E402

# A shell starts a background job with SIGINT and SIGQUIT ignored, and nohup ignores SIGHUP. The
# processes that tests start would inherit that, and never see the signals that tests send.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

_MEASURED = {"app", "bench", "gateway_shim", "live"}
"""The folders whose tests' child processes are measured for coverage, too.

That makes a child start half as slow again. The others' children run what these run already.
"""


@pytest.fixture(autouse=True, scope="module")
def _children_are_measured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start the children of the other folders' tests without coverage."""
    folder = Path(request.node.path).relative_to(Path(__file__).parent).parent.as_posix()
    measured = folder.partition("/")[0] in _MEASURED and folder != "gateway_shim/parity"
    with pytest.MonkeyPatch.context() as patch:
        if not measured:
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for tests that need a real part."""
    config.addinivalue_line(
        "markers",
        "needs(*parts): a part of tests/support/parts.py; without it the test is skipped,"
        " or fails where CI is set",
    )


@pytest.hookimpl(tryfirst=True)  # before fixtures, which may need the part already
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose parts are not there, except in CI."""
    require(name for marker in item.iter_markers("needs") for name in marker.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line each what was skipped, and what installs it.

    With SKIPPED_TESTS_FILE=path: append these lines to it, too, for who has more to print first.
    """
    if hasattr(terminalreporter.config, "workerinput"):
        return  # pytest-xdist: the process that has started this one tells of all tests
    skipped = terminalreporter.stats.get("skipped", [])
    lines = summary(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    if lines:
        terminalreporter.section("not tested here")
        for line in lines:
            terminalreporter.write_line(line)
    path = os.environ.get("SKIPPED_TESTS_FILE")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the integration tests."""
    group = parser.getgroup("gateway", "a gateway to run the integration tests with, too")
    group.addoption(
        "--gateway-command",
        metavar="CMD",
        help="starts a gateway that is configured by PORT, CALLBACK_URL and"
        " HEARTBEAT_INTERVAL_SECONDS, such as 'node dist/index.js'",
    )
    group.addoption(
        "--gateway-dialect",
        choices=["auto", "named", "envelope"],
        default="auto",
        help="the wire dialect of that gateway; auto: as its first event shows",
    )
