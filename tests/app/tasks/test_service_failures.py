"""``TaskService``: tasks that fail, and events that cannot be sent."""

from __future__ import annotations

import gc
import io
import logging
import weakref
from collections.abc import Callable
from typing import Any, Never

import gevent
import pytest

from app.schemas.task_schema import TaskStatus
from app.tasks.base import TaskProgressHandle
from app.tasks.run import body as task_body
from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.log_format import TextFormatter
from tests.app.tasks.task_support import (
    Call,
    CpuBoundCall,
    Done,
    RecordedTasks,
    assert_one_end,
    both_kinds,
)
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str
from tests.support.timing import wait_until


@both_kinds
@pytest.mark.parametrize(
    "make",
    [
        lambda: Nameless("x"),
        lambda: HidesClass("x"),
        Unshowable,
        lambda: raising_str(SystemExit),
    ],
)
def test_a_failure_that_cannot_be_shown_ends_its_task(
    kind: type[Call], make: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that cannot be shown ends its task once and frees the slot."""
    # The formatter of pytest cannot show these exceptions; the one of the product can.
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger("app.tasks.conductor")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [handler])
    tasks = RecordedTasks(max_workers=1)

    def work(handle: TaskProgressHandle) -> Never:
        raise make()

    tasks.service.start_task(kind(work))
    tasks.service.start_task(Call(lambda handle: Done()))
    tasks.settle()
    assert_one_end(tasks, "t1", "task_failed")
    assert_one_end(tasks, "t2", "task_completed")
    assert "WARNING app.tasks.conductor: a task is over" in stream.getvalue()


@both_kinds
@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (None, "but returned NoneType"),
        ({"number": 1}, "but returned dict"),
        (Done, "but returned ModelMetaclass"),
    ],
)
def test_a_result_that_is_no_model_fails_the_task(
    kind: type[Call], returned: object, error: str
) -> None:
    """The error names the expected type and the returned type."""
    tasks = RecordedTasks()
    tasks.run(kind(lambda handle: returned))
    assert tasks.sender.last("t1") == (
        "task_failed",
        {"error": f"the task {kind.name} must return a pydantic model, {error}"},
    )


@both_kinds
@pytest.mark.parametrize(
    ("exception", "error"),
    [
        (ValueError("disk full"), "disk full"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(), "RuntimeError"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (gevent.GreenletExit("bye"), "GreenletExit: bye"),
    ],
)
def test_whatever_a_task_raises_fails_that_task_only(
    kind: type[Call], exception: BaseException, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Browsers get the message, the log gets the traceback, and the next task runs."""
    tasks = RecordedTasks()

    def work(handle: TaskProgressHandle) -> Never:
        raise exception

    tasks.run(kind(work))
    assert tasks.sender.last("t1") == ("task_failed", {"error": error})
    assert tasks.service.get_task_status("t1").error == error
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.exc_info is not None
    assert record.exc_info[1] is exception
    assert "in work" in caplog.text
    tasks.run(kind(lambda handle: Done()))
    assert tasks.sender.last("t2") == ("task_completed", {"number": 1})


def test_progress_before_a_failure_is_still_sent() -> None:
    """Progress that was reported before a failure is sent before the failure."""
    tasks = RecordedTasks()

    def work(handle: TaskProgressHandle) -> Never:
        handle.send_progress("so far", 0.5)
        raise ValueError("no further")

    tasks.run(Call(work))
    assert tasks.sender.types("t1") == ["task_started", "progress_update", "task_failed"]


def test_a_finished_task_keeps_no_traceback_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local variables of a task that failed are freed."""
    # pytest keeps every log record, and with it the traceback.
    monkeypatch.setattr(logging.getLogger("app.tasks.conductor"), "disabled", True)
    tasks = RecordedTasks()

    class Large:
        pass

    references = []

    def work(handle: TaskProgressHandle) -> Never:
        large = Large()
        references.append(weakref.ref(large))
        raise ValueError("with locals")

    tasks.run(Call(work))
    wait_until(lambda: gc.collect() is not None and references[0]() is None, "the locals' end")


def test_an_event_that_cannot_be_sent_costs_the_task_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failed send is logged, and the task ends as usual."""
    tasks = RecordedTasks()

    def refuse(event: dict[str, Any]) -> Never:
        raise OSError("no gateway")

    tasks.sender.during = refuse
    tasks.run(Call(lambda handle: Done()))
    assert tasks.service.get_task_status("t1").status is TaskStatus.COMPLETED
    assert caplog.text.count("a task event could not be sent") == 2


def test_a_mistake_of_our_own_fails_the_task_and_frees_its_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A body that cannot be made fails its task and frees the slot."""
    tasks = RecordedTasks(max_workers=1)

    def broken(*args: Any) -> Never:
        raise OSError("no descriptors left")

    with monkeypatch.context() as patch:
        patch.setattr(task_body, "NativeMailbox", broken)
        tasks.run(CpuBoundCall(lambda handle: Done()))
    assert tasks.sender.last("t1") == ("task_failed", {"error": "no descriptors left"})
    tasks.run(CpuBoundCall(lambda handle: Done()))
    assert tasks.sender.last("t2") == ("task_completed", {"number": 1})
