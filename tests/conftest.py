"""The set-up of all tests. It patches the process for gevent before any other import."""

from gevent import monkey

from gateway_shim.event_loop.child_watcher import use_child_watchers

use_child_watchers()
monkey.patch_all()

from gateway_shim.event_loop.patching import support_native_threads  # noqa: E402 - see above
from gateway_shim.event_loop.serving_process import prepare_serving_process  # noqa: E402

support_native_threads()
prepare_serving_process()

import gc  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from tests.support.parts import require, summary  # noqa: E402
from tests.support.schedule import mixed  # noqa: E402

# A shell starts a background job with SIGINT and SIGQUIT ignored, and nohup ignores SIGHUP. The
# processes that tests start would inherit that, and would ignore the signals that tests send.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

# A busy machine may stop a process for longer than an example may take by default, 0.2 s.
settings.register_profile("without_deadline", settings(deadline=None))
settings.load_profile("without_deadline")

_MEASURED = ("app/", "bench/", "gateway_shim/", "live/")
"""The tests that measure coverage. Beginnings of paths.

Measuring doubles the processor time of code. All other tests run code that these tests run already.
"""

_NOT_MEASURED = ("gateway_shim/parity/fuzz/",)
"""The exceptions from ``_MEASURED``: tests that run the same code thousands of times."""

_CHILDREN_MEASURED = (
    "app/",
    "bench/",
    "gateway_shim/",
    "live/http/test_streams.py",
    "live/http/test_tls.py",
    "live/processes/",
)
"""The tests that measure the coverage of their child processes, too. Beginnings of paths.

Measuring doubles the time that a server needs to start.
"""

_CHILDREN_NOT_MEASURED = (
    "gateway_shim/parity/",
    "live/processes/test_hangups.py",
    "live/processes/test_signals_at_start.py",
)
"""The exceptions from ``_CHILDREN_MEASURED``: tests that start dozens of processes.

Other tests run the same code."""

_SLOW = {"bench", "binary", "browser", "faults", "integration", "live"}
"""The folders whose tests are all marked as slow: they start servers and wait for them."""


_LONGEST = (
    "gateway_shim/parity/test_cli.py",
    "faults/nothing_missed/test_processes.py",
    "live/commands/test_commands.py",
    "gateway_shim/parity/test_scenario_mutants.py",
    "live/processes/test_signals_at_start.py",
    "binary/test_commands.py",
    "gateway_shim/streams/test_gateway_leaks.py",
    "browser/test_eventsource.py",
    "live/processes/test_hangups.py",
    "binary/test_serving.py",
    "live/http/test_keep_alive.py",
    "live/http/test_tls.py",
    "faults/deploys/test_deploys.py",
)
"""The modules that take longer than a minute on a busy machine of two processors."""


def _is_slow(place: str) -> bool:
    """Return whether the module at a path relative to ``tests`` is in a slow folder."""
    return place.partition("/")[0] in _SLOW


def _place_of(path: Path) -> str:
    """Return the path of a test module, relative to ``tests`` if it is there."""
    tests = Path(__file__).parent
    return (path.relative_to(tests) if path.is_relative_to(tests) else path).as_posix()


@pytest.fixture(autouse=True, scope="module")
def _only_some_tests_are_measured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pause the measurement of coverage, in this process or in its children, for the others."""
    place = _place_of(Path(request.node.path))
    measure = sys.gettrace()
    with pytest.MonkeyPatch.context() as patch:
        if not place.startswith(_CHILDREN_MEASURED) or place.startswith(_CHILDREN_NOT_MEASURED):
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        if not place.startswith(_MEASURED) or place.startswith(_NOT_MEASURED):
            sys.settrace(None)
        yield
    sys.settrace(measure)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line(
        "markers",
        "needs(*parts): the test needs these parts of tests/support/parts.py; if a part is"
        " missing, the test is skipped, or fails where CI is set",
    )
    config.addinivalue_line(
        "markers",
        'slow: the test starts servers or takes long; -m "not slow" runs all others in a minute',
    )


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist there is no such hook
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes for ``--numprocesses auto``, 4 on 2 processors.

    Tests wait for servers and browsers during half of their time.
    """
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Collect the tests without garbage collections, which would take a third of the time.

    The modules and the tests live until the end, so later collections need not look at them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders. Side by side, run them at the same time as the others."""
    for item in items:
        if _is_slow(_place_of(item.path)):
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist
        items[:] = mixed(items, lambda item: _place_of(item.path), first=_LONGEST, waits=_is_slow)


@pytest.hookimpl(tryfirst=True)  # before fixtures, which may need the part already
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose parts are missing. In CI, fail the test instead."""
    require(name for marker in item.iter_markers("needs") for name in marker.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each reason why tests were skipped, with the command that helps.

    If the environment has SKIPPED_TESTS_FILE=path, also append these lines to that file, for a
    caller that prints more after them.
    """
    if hasattr(terminalreporter.config, "workerinput"):
        return  # a worker of pytest-xdist: the main process prints the lines of all workers
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
    group = parser.getgroup("gateway", "another gateway to run the integration tests with")
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
        help="the wire dialect of that gateway; auto: the dialect of its first event",
    )
