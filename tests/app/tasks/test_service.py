"""TaskService: who runs when, what is broadcast, and that it ends exactly once."""

from __future__ import annotations

import gc
import io
import itertools
import json
import logging
import socket
import threading
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime

import gevent
import pytest
from gevent.monkey import get_original
from gevent.pool import Pool

from app.errors import BadRequest, InvalidOperationException, NotFound, TooBusy
from app.lifecycle import LifetimeEvent
from app.schemas.task_schema import TaskStartResponse, TaskStatus
from app.tasks.base import TaskCancelled
from app.tasks.run import body as task_body
from app.tasks.run.record import TaskOrigin
from gateway_shim.event_loop.turns import SLICE_SECONDS
from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.log_format import TextFormatter
from tests.app.tasks.task_support import ENVELOPE, Call, Clock, Done, Gate, House, NativeCall
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str
from tests.support.timing import TIME_LIMIT, wait_until

TERMINAL = {"task_completed", "task_failed", "task_cancelled"}

native_sleep = get_original("time", "sleep")

both_kinds = pytest.mark.parametrize("kind", [Call, NativeCall])


def assert_one_end(house: House, task_id: str, *ends: str) -> None:
    """A task's one terminal event is its last, and one of these."""
    types = house.sender.types(task_id)
    assert [t for t in types if t in TERMINAL] == types[-1:]
    assert types[-1] in (ends or TERMINAL)


# ---- one task


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
def test_a_failure_that_cannot_be_shown_ends_its_task(kind, make, monkeypatch):
    """One terminal event, and the slot is free, whatever the exception's class does."""
    # The formatter of pytest cannot show these exceptions; the one of the product can.
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger("app.tasks.conductor")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [handler])
    house = House(max_workers=1)

    def work(handle):
        raise make()

    house.service.start_task(kind(work))
    house.service.start_task(Call(lambda handle: Done()))
    house.settle()
    assert_one_end(house, "t1", "task_failed")
    assert_one_end(house, "t2", "task_completed")
    assert "WARNING app.tasks.conductor: a task is over" in stream.getvalue()


@both_kinds
def test_a_tasks_whole_life_is_broadcast_in_order(kind):
    """Start, progress and result arrive as whole, exact payloads for everybody."""
    house = House(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def work(handle, number):
        handle.send_progress("half", 0.5)
        handle.send_progress_value(0.75)
        handle.send_progress_text("nearly")
        return Done(number=number)

    answer = house.service.start_task(kind(work), number=7)
    assert answer == TaskStartResponse(task_id="t1", status=TaskStatus.RUNNING)
    house.settle()

    def event(event_type, data):
        return {
            "event_type": event_type,
            "task_id": "t1",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": data,
        }

    name = kind(work).name
    assert house.sender.sent == [
        event("task_started", {"task_type": name}),
        event("progress_update", {"text": "half", "value": 0.5}),
        event("progress_update", {"text": "half", "value": 0.75}),
        event("progress_update", {"text": "nearly", "value": 0.75}),
        event("task_completed", {"number": 7}),
    ]
    assert house.sender.envelopes == {ENVELOPE}
    assert house.service.get_task_status("t1").model_dump(mode="json") == {
        "task_id": "t1",
        "task_type": name,
        "status": "completed",
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:00Z",
        "progress": {"text": "nearly", "value": 0.75},
        "error": None,
        "result": {"number": 7},
        "omitted": None,
    }


def test_a_task_that_reports_without_pause_lets_others_be_served():
    """Between two reads of a socket only as many events are sent as one slice of time allows."""
    house = House()
    house.sender.during = lambda event: native_sleep(SLICE_SECONDS / 2)
    done = threading.Event()

    def work(handle):
        for _ in range(10_000):
            if done.is_set():
                break
            handle.send_progress("x", 0.5)
        return Done()

    for _ in range(2):
        house.service.start_task(Call(work))
    house.sent("progress_update")
    reader, writer = socket.socketpair()
    sent = []
    with reader, writer:
        for _ in range(10):
            got = gevent.spawn(reader.recv, 1)
            gevent.sleep(0.001)
            before = len(house.sender.sent)
            writer.send(b"x")
            got.join()
            sent.append(len(house.sender.sent) - before)
    done.set()
    house.settle()
    assert max(sent) < 20


def test_timestamps_never_go_back():
    """Each event carries the moment it was sent."""
    house = House()
    house.run(Call(lambda handle: handle.send_progress("x", 0.5) or Done()))
    times = [event["timestamp"] for event in house.sender.sent]
    assert times == sorted(set(times))
    assert len(times) == 3


def test_thousands_of_updates_from_a_native_thread_arrive_in_order():
    """Far more updates than the mailbox holds: all of them, in order, then the end."""
    house = House()
    count = 5000

    def work(handle):
        for number in range(count):
            handle.send_progress(str(number), number / count)
        return Done()

    house.run(NativeCall(work))
    assert [event["data"].get("text") for event in house.sender.sent] == [
        None,
        *map(str, range(count)),
        None,
    ]
    assert_one_end(house, "t1", "task_completed")


def test_a_native_task_does_not_hold_up_the_hub():
    """While a task blocks its thread, greenlets go on."""
    house = House()
    release = get_original("_thread", "allocate_lock")()
    release.acquire()

    def work(handle):
        return Done(number=int(release.acquire(timeout=TIME_LIMIT)))

    house.service.start_task(NativeCall(work))
    house.sent("task_started")
    gevent.sleep(0)
    release.release()
    house.settle()
    assert house.sender.last("t1") == ("task_completed", {"number": 1})


@both_kinds
@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (None, "but returned NoneType"),
        ({"number": 1}, "but returned dict"),
        (Done, "but returned ModelMetaclass"),
    ],
)
def test_a_result_that_is_no_model_fails_the_task(kind, returned, error):
    """The error says what must be returned, and what was."""
    house = House()
    house.run(kind(lambda handle: returned))
    assert house.sender.last("t1") == (
        "task_failed",
        {"error": f"the task {kind(None).name} must return a pydantic model, {error}"},
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
def test_whatever_a_task_raises_fails_that_task_only(kind, exception, error, caplog):
    """The message goes to the browsers, the traceback to the log, and the next task runs."""
    house = House()

    def work(handle):
        raise exception

    house.run(kind(work))
    assert house.sender.last("t1") == ("task_failed", {"error": error})
    assert house.service.get_task_status("t1").error == error
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.exc_info[1] is exception
    assert "in work" in caplog.text
    house.run(kind(lambda handle: Done()))
    assert house.sender.last("t2") == ("task_completed", {"number": 1})


def test_progress_before_a_failure_is_still_sent():
    """What a task reported before it raised arrives before the failure."""
    house = House()

    def work(handle):
        handle.send_progress("so far", 0.5)
        raise ValueError("no further")

    house.run(Call(work))
    assert house.sender.types("t1") == ["task_started", "progress_update", "task_failed"]


def test_a_finished_task_keeps_no_traceback_alive(monkeypatch):
    """The local variables of a task that raised are freed, although the task is remembered."""
    # pytest keeps every log record, and with it the traceback.
    monkeypatch.setattr(logging.getLogger("app.tasks.conductor"), "disabled", True)
    house = House()

    class Large:
        pass

    references = []

    def work(handle):
        large = Large()
        references.append(weakref.ref(large))
        raise ValueError("with locals")

    house.run(Call(work))
    wait_until(lambda: gc.collect() is not None and references[0]() is None, "the locals' end")


def test_an_event_that_cannot_be_sent_costs_the_task_nothing(caplog):
    """A connection manager that raises is logged; the task ends as it should."""
    house = House()

    def refuse(event):
        raise OSError("no gateway")

    house.sender.during = refuse
    house.run(Call(lambda handle: Done()))
    assert house.service.get_task_status("t1").status is TaskStatus.COMPLETED
    assert caplog.text.count("a task event could not be sent") == 2


def test_a_mistake_of_our_own_fails_the_task_and_frees_its_slot(monkeypatch):
    """Even a body that cannot be made leaves no task running for ever."""
    house = House(max_workers=1)

    def broken(*args):
        raise OSError("no descriptors left")

    with monkeypatch.context() as patch:
        patch.setattr(task_body, "NativeMailbox", broken)
        house.run(NativeCall(lambda handle: Done()))
    assert house.sender.last("t1") == ("task_failed", {"error": "no descriptors left"})
    house.run(NativeCall(lambda handle: Done()))
    assert house.sender.last("t2") == ("task_completed", {"number": 1})


def test_metrics_count_each_end_and_who_runs():
    """Every end is counted once with its status and its seconds."""
    clock = Clock()
    house = House(clock=clock, max_workers=1)

    def work(handle):
        clock.now += 2.5
        return Done()

    house.service.start_task(Call(work))
    house.service.start_task(Call(work))
    house.service.cancel_task("t2")
    house.settle()
    assert sorted(house.metrics.finished) == [
        ("call", "cancelled", 0.0),
        ("call", "completed", 2.5),
    ]
    assert max(house.metrics.active) == 1
    assert house.metrics.active[-1] == 0


def test_a_list_comes_in_pages():
    """Newest first; following next shows each task once, also when some are forgotten meanwhile."""
    house = House(max_finished=7)
    for _ in range(7):
        house.run(Call(lambda handle: Done()))
    pages, before = [], None
    while True:
        page = house.service.list_tasks(3, before)
        pages.append([task.task_id for task in page.tasks])
        if (before := page.next) is None:
            break
        house.run(Call(lambda handle: Done()))
    assert pages == [["t7", "t6", "t5"], ["t4", "t3", "t2"]]


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_page_is_bounded(limit):
    """A limit that is not allowed is refused with what is."""
    with pytest.raises(BadRequest, match=rf"^limit is {limit}; allowed is 1 to 100$"):
        House().service.list_tasks(limit)


def test_tasks_started_in_one_microsecond_or_with_the_clock_set_back_are_listed_in_order():
    """Their numbers differ all the same."""
    hours = itertools.chain(*([hour] * 3 for hour in (5, 5, 3, 3, 6)), itertools.repeat(7))
    times = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in hours)
    house = House(max_workers=5, now=lambda: next(times))
    for _ in range(5):
        house.service.start_task(Gate())
    first = house.service.list_tasks(2)
    second = house.service.list_tasks(2, first.next)
    third = house.service.list_tasks(2, second.next)
    found = [task.task_id for page in (first, second, third) for task in page.tasks]
    assert found == ["t5", "t4", "t3", "t2", "t1"]
    assert third.next is None
    house.end()


def test_nothing_large_is_kept_of_a_task_that_is_over():
    """Its parameters go at its end, the data of its event once the event was sent."""
    house = House()
    house.run(Call(lambda handle, text: Done()), text="x" * 100_000)
    record = house.service._store.find("t1")
    assert record.kwargs == {}
    assert record.outcome.event_data is None
    assert house.service.get_task_status("t1").result == {"number": 1}


def test_a_status_as_json_is_the_same():
    """With and without a result."""
    house = House()
    house.run(Call(lambda handle: Done(number=7)))
    house.service.start_task(Gate())
    for task_id in ("t1", "t2"):
        shown = json.loads(house.service.get_task_status_json(task_id))
        expected = house.service.get_task_status(task_id).model_dump(mode="json")
        assert shown == {name: value for name, value in expected.items() if name != "omitted"}
    house.end()


# ---- slots and the line


def test_so_many_run_and_the_rest_wait_in_order():
    """Three slots, nine tasks: never more than three, begun in the order of their starts."""
    house = House(max_workers=3)
    running, most, order = 0, 0, []

    def work(handle, number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        gevent.sleep(0)
        running -= 1
        return Done()

    statuses = [house.service.start_task(Call(work), number=n).status for n in range(9)]
    assert statuses == ["running"] * 3 + ["pending"] * 6
    house.settle()
    assert (most, order) == (3, list(range(9)))


def test_a_slot_is_free_only_when_the_terminal_event_was_sent():
    """With one slot the next task_started comes after the earlier task's end."""
    house = House(max_workers=1)
    house.sender.during = lambda event: gevent.sleep(0)
    for _ in range(3):
        house.service.start_task(Call(lambda handle: Done()))
    house.settle()
    assert [(event["task_id"], event["event_type"]) for event in house.sender.sent] == [
        (task_id, event_type)
        for task_id in ("t1", "t2", "t3")
        for event_type in ("task_started", "task_completed")
    ]


def test_a_full_line_refuses_a_task():
    """The waiting line is bounded, and says so."""
    house = House(max_workers=1, max_waiting=1)
    gate = Gate()
    house.service.start_task(gate)
    house.service.start_task(Call(lambda handle: Done()))
    with pytest.raises(TooBusy, match=r"^The line is full, 1 waiting; try again later$"):
        house.service.start_task(Call(lambda handle: Done()))
    gate.opened.set()
    house.settle()
    assert len(house.service.list_tasks().tasks) == 2


def test_one_client_cannot_lock_the_others_out():
    """Four endless tasks and a full line of one client: another's task begins at once."""
    house = House(max_workers=4, per_client=10)
    origin = TaskOrigin("192.0.2.1")
    for _ in range(10):
        house.service.start_task_for(origin, Gate())
    with pytest.raises(TooBusy, match=r"^10 tasks of your address are unfinished"):
        house.service.start_task_for(origin, Gate())
    assert house.refusals.by_reason["tasks_per_address"] == 1
    other = house.service.start_task_for(TaskOrigin("192.0.2.2"), Call(lambda handle: Done()))
    assert other.status == "running"
    house.sent("task_completed", other.task_id)
    assert house.service.start_task(Call(lambda handle: Done())).status == "running"
    house.end()


def test_a_task_may_be_given_any_parameter_name():
    """A parameter called task is the task's own."""
    house = House()
    seen = {}

    class Odd(Gate):
        def execute(self, progress_handle, **kwargs):
            seen.update(kwargs)
            return Done()

    house.service.start_task(Odd(), task=1, number=2)
    house.settle()
    assert house.sender.last("t1") == ("task_completed", {"number": 1})
    assert seen == {"task": 1, "number": 2}


# ---- cancel


def test_a_running_greenlet_is_killed_by_a_cancel():
    """It ends where it waits, with task_cancelled and nothing after it."""
    house = House()
    gate = Gate()
    house.service.start_task(gate)
    gate.entered.wait()
    answer = house.service.cancel_task("t1")
    assert answer == TaskStartResponse(task_id="t1", status=TaskStatus.CANCELLED)
    house.settle()
    assert house.sender.types("t1") == ["task_started", "task_cancelled"]
    assert house.sender.last("t1") == ("task_cancelled", {})


def test_a_pending_task_is_cancelled_without_having_begun():
    """It gets task_cancelled alone, never a start, and the line goes on."""
    house = House(max_workers=1)
    gate = Gate()
    house.service.start_task(gate)
    for _ in range(2):
        house.service.start_task(Call(lambda handle: Done()))
    house.service.cancel_task("t2")
    house.sent("task_cancelled", "t2")
    gate.opened.set()
    house.settle()
    assert house.sender.types("t2") == ["task_cancelled"]
    assert house.sender.types("t3") == ["task_started", "task_completed"]


def test_a_task_cancelled_while_its_start_is_sent_never_works():
    """The body is not begun if the cancel came first."""
    house = House()
    house.sender.during = lambda event: (
        house.service.cancel_task("t1") if event["event_type"] == "task_started" else None
    )
    worked = []
    house.run(Call(lambda handle: worked.append(1)))
    assert house.sender.types("t1") == ["task_started", "task_cancelled"]
    assert worked == []


def test_a_finished_task_cannot_be_cancelled():
    """The refusal says how it ended."""
    house = House()
    house.run(Call(lambda handle: Done()))
    with pytest.raises(InvalidOperationException, match=r"^Task t1 is completed already; only a"):
        house.service.cancel_task("t1")
    assert_one_end(house, "t1", "task_completed")


def test_a_task_may_cancel_itself():
    """Raising TaskCancelled ends it as cancelled."""
    house = House()

    def work(handle):
        raise TaskCancelled

    house.run(Call(work))
    assert house.sender.types("t1") == ["task_started", "task_cancelled"]


def test_a_native_thread_learns_of_a_cancel_at_its_next_progress():
    """The cancel ends the task at once; the thread then leaves, and sends nothing more."""
    house = House()
    left = []

    def work(handle):
        try:
            while True:
                handle.send_progress("still here", 0.1)
        except TaskCancelled:
            left.append(handle.cancelled)
            raise

    house.service.start_task(NativeCall(work))
    house.sent("progress_update")
    house.service.cancel_task("t1")
    house.settle()
    wait_until(lambda: left == [True], "the thread's end")
    assert_one_end(house, "t1", "task_cancelled")


def test_progress_that_waits_is_dropped_by_a_cancel_but_not_by_the_end():
    """After a cancel nothing old comes; after an ordinary end everything does."""
    house = House()
    reported = gevent.event.Event()

    def work(handle, leave):
        for number in range(10):
            handle.send_progress(str(number), 0.0)
        reported.set()
        if not leave:
            gevent.sleep(TIME_LIMIT)
        return Done()

    def cancel_at_first_update(event):
        if event["event_type"] == "progress_update" and event["task_id"] == "t1":
            reported.wait()
            if house.service.get_task_status("t1").status is TaskStatus.RUNNING:
                house.service.cancel_task("t1")

    house.sender.during = cancel_at_first_update
    house.run(Call(work), leave=False)
    assert house.sender.types("t1") == ["task_started", "progress_update", "task_cancelled"]
    house.run(Call(work), leave=True)
    assert house.sender.types("t2") == [
        "task_started",
        *["progress_update"] * 10,
        "task_completed",
    ]


def test_a_greenlet_that_survives_its_cancel_sends_nothing_more():
    """A task that swallows everything is over all the same, and its progress is refused."""
    house = House()
    refused = []
    gate = gevent.event.Event()

    def work(handle):
        with suppress(gevent.GreenletExit):
            gate.wait()
        try:
            handle.send_progress("ghost", 1.0)
        except TaskCancelled as exc:
            refused.append(str(exc))
        return Done()

    house.service.start_task(Call(work))
    house.sent("task_started")
    gevent.sleep(0)
    house.service.cancel_task("t1")
    house.settle()
    wait_until(lambda: refused == ["the task is over or was told to stop"], "the refusal")
    assert house.sender.types("t1") == ["task_started", "task_cancelled"]


# ---- the time limit


def test_a_greenlet_past_its_time_limit_fails():
    """It is killed, and the error names the limit."""
    house = House(timeout_seconds=0.02)
    gate = Gate()
    house.run(gate)
    assert house.sender.last("t1") == ("task_failed", {"error": "timed out after 0.02 s"})
    assert_one_end(house, "t1", "task_failed")


def test_a_native_thread_past_its_time_limit_loses_its_slot_at_once():
    """The next task runs although the thread still computes; its late result is dropped."""
    house = House(timeout_seconds=0.05, max_workers=1)
    go_on = []
    ended = []

    def runaway(handle):
        while not go_on:
            native_sleep(0.001)
        ended.append(handle.cancelled)
        return Done()

    house.run(NativeCall(runaway))
    assert house.sender.last("t1") == ("task_failed", {"error": "timed out after 0.05 s"})
    house.run(NativeCall(lambda handle: Done()))
    assert house.sender.last("t2") == ("task_completed", {"number": 1})
    go_on.append(True)
    wait_until(lambda: ended == [True], "the runaway's end")
    gevent.sleep(0)
    assert_one_end(house, "t1", "task_failed")


def test_runaways_on_every_thread_make_later_tasks_wait_only_within_their_limit():
    """With every native thread lost, native tasks time out one by one and greenlets still run."""
    house = House(timeout_seconds=0.05, max_workers=1)
    go_on = []
    worked = []

    def runaway(handle):
        while not go_on:
            native_sleep(0.001)
        return Done()

    for _ in range(3):  # two threads and the pool's one place in its queue
        house.run(NativeCall(runaway))
    for task_id in (house.run(NativeCall(worked.append)) for _ in range(2)):
        assert house.sender.last(task_id) == ("task_failed", {"error": "timed out after 0.05 s"})
    house.run(Call(lambda handle: Done()))
    assert house.sender.last("t6") == ("task_completed", {"number": 1})
    go_on.append(True)
    wait_until(lambda: house.service._conductor._native.abandoned == 0, "the runaways' end")
    house.run(NativeCall(lambda handle: Done()))
    assert house.sender.last("t7") == ("task_completed", {"number": 1})
    assert worked == []


# ---- exactly one end


@both_kinds
@pytest.mark.parametrize("order", list(itertools.permutations(["end", "cancel", "time limit"])))
def test_of_all_who_end_a_task_in_the_same_instant_one_wins(kind, order):
    """The task, a cancel and the time limit in one turn of the loop: one terminal event."""
    house = House()
    go_on = get_original("_thread", "allocate_lock")()
    go_on.acquire()
    gate = gevent.event.Event()

    def work(handle):
        if kind is NativeCall:
            go_on.acquire(timeout=TIME_LIMIT)
        else:
            gate.wait()
        return Done()

    house.service.start_task(kind(work))
    house.sent("task_started")
    gevent.sleep(0)
    record = house.service._store.find("t1")
    body = record.body

    def cancel():
        with suppress(InvalidOperationException):
            house.service.cancel_task("t1")

    actions = {
        "end": lambda: (gate.set(), go_on.release()),
        "cancel": cancel,
        "time limit": body._time_out,
    }
    for name in order:
        gevent.spawn(actions[name])
    house.settle()
    assert_one_end(house, "t1")
    assert (
        house.service.get_task_status("t1").status
        == {
            "task_completed": "completed",
            "task_failed": "failed",
            "task_cancelled": "cancelled",
        }[house.sender.types("t1")[-1]]
    )


def test_hundreds_of_tasks_under_fire_each_end_once():
    """Cancels, time-outs, results and failures in any order, with sends that switch."""
    house = House(max_workers=8, timeout_seconds=0.03)
    house.sender.during = lambda event: gevent.sleep(0)

    def work(handle, number):
        for step in range(number % 7):
            handle.send_progress(str(step), step / 7)
            (native_sleep if number % 2 else gevent.sleep)(0.001 * (number % 5))
        if number % 11 == 0:
            raise ValueError(str(number))
        if number % 13 == 0:
            while not handle.cancelled:
                (native_sleep if number % 2 else gevent.sleep)(0.001)
        return Done(number=number)

    ids = [
        house.service.start_task((NativeCall if n % 2 else Call)(work), number=n).task_id
        for n in range(200)
    ]

    def cancel(task_id):
        gevent.sleep(0.0005 * int(task_id[1:]))
        with suppress(InvalidOperationException):
            house.service.cancel_task(task_id)

    Pool(50).map(cancel, ids[::3])
    house.settle()
    for task_id in ids:
        assert_one_end(house, task_id)
    ends = {status for _, status, _ in house.metrics.finished}
    assert (ends, len(house.metrics.finished)) == ({"completed", "failed", "cancelled"}, 200)


def test_no_lock_is_held_while_an_event_is_sent():
    """Whatever the sender calls back, from its own or another greenlet, gets an answer."""
    house = House(max_workers=2)
    late = []

    def call_back(event):
        assert not house.service._conductor._lock.locked()
        assert not house.service._store._lock.locked()

        def calls():
            house.service.list_tasks()
            house.service.get_task_status(event["task_id"])
            if len(late) < 3:
                late.append(house.service.start_task(Call(lambda handle: Done())).task_id)

        other = gevent.spawn(calls)
        other.get(timeout=TIME_LIMIT)
        if event["task_id"] == "t2" and event["event_type"] == "progress_update":
            house.service.cancel_task("t2")
        if event["event_type"] == "task_completed" and event["task_id"] == "t1":
            house.service.remove_completed_task("t1")

    house.sender.during = call_back

    def work(handle):
        handle.send_progress("on the way", 0.5)
        gevent.sleep(0)
        return Done()

    house.service.start_task(Call(work))
    house.service.start_task(Call(lambda handle: (handle.send_progress("x", 0), gevent.sleep(9))))
    house.settle()
    assert house.sender.types("t1")[-1] == "task_completed"
    assert house.sender.types("t2")[-1] == "task_cancelled"
    assert [house.sender.types(task_id)[-1] for task_id in late] == ["task_completed"] * 3


# ---- what is remembered


def test_unknown_tasks_are_not_found():
    """Each call that names a task says that there is none."""
    house = House()
    for call in (
        house.service.get_task_status,
        house.service.cancel_task,
        house.service.remove_completed_task,
    ):
        with pytest.raises(NotFound, match=r"^There is no task nope; finished tasks"):
            call("nope")


def test_a_finished_task_can_be_removed_and_a_running_one_cannot():
    """Removing is for what is over."""
    house = House()
    gate = Gate()
    house.service.start_task(gate)
    with pytest.raises(InvalidOperationException, match=r"^Task t1 is running; cancel it before"):
        house.service.remove_completed_task("t1")
    gate.opened.set()
    house.settle()
    house.service.remove_completed_task("t1")
    assert house.service.list_tasks().tasks == []


def test_finished_tasks_are_forgotten_after_their_time():
    """A running task stays, whatever its age."""
    clock = Clock()
    house = House(clock=clock, keep_seconds=60.0)
    gate = Gate()
    house.service.start_task(gate)
    house.service.start_task(Call(lambda handle: Done()))
    house.sent("task_completed", "t2")
    clock.now += 59.9
    assert [task.task_id for task in house.service.list_tasks().tasks] == ["t2", "t1"]
    clock.now += 0.1
    assert [task.task_id for task in house.service.list_tasks().tasks] == ["t1"]
    gate.opened.set()
    house.settle()


# ---- the end of the process


def test_a_shutdown_refuses_new_tasks_and_cancels_those_in_line():
    """What runs may end within the grace; what has not begun gets its task_cancelled at once."""
    house = House(max_workers=1, grace=TIME_LIMIT)
    gate = Gate()
    house.service.start_task(gate)
    house.service.start_task(Call(lambda handle: Done()))
    end = gevent.spawn(house.coordinator.shutdown)
    house.sent("task_cancelled", "t2")
    with pytest.raises(InvalidOperationException, match=r"^The server is shutting down"):
        house.service.start_task(Call(lambda handle: Done()))
    assert not end.ready()
    gate.opened.set()
    end.get(timeout=TIME_LIMIT)
    assert house.sender.types("t1") == ["task_started", "task_completed"]
    assert house.sender.types("t2") == ["task_cancelled"]


def test_a_task_is_refused_from_the_first_moment_of_a_shutdown():
    """Even before the service itself was told."""
    house = House()
    refused = []

    def start(event):
        if event is LifetimeEvent.PREPARE_SHUTDOWN:
            with pytest.raises(InvalidOperationException):
                house.service.start_task(Call(lambda handle: Done()))
            refused.append(event)

    house.coordinator._callbacks.insert(0, start)
    house.coordinator.shutdown()
    assert refused == [LifetimeEvent.PREPARE_SHUTDOWN]


@both_kinds
def test_a_task_that_outlasts_the_grace_is_cancelled_before_the_streams_end(kind):
    """Its one terminal event is sent before the SHUTDOWN notification goes on to the next."""
    house = House(grace=0.01)
    go_on = []
    at_the_end = []
    house.coordinator.register_lifetime_notification(
        lambda event: at_the_end.append((event.value, house.sender.types("t1")[-1]))
    )

    def work(handle):
        while not go_on:
            (native_sleep if kind is NativeCall else gevent.sleep)(0.001)
        return Done()

    house.service.start_task(kind(work))
    house.sent("task_started")
    house.coordinator.shutdown()
    go_on.append(True)
    assert at_the_end == [
        ("prepare_shutdown", "task_started"),
        ("shutdown", "task_cancelled"),
        ("after_shutdown", "task_cancelled"),
    ]
    gevent.sleep(0.01)
    assert_one_end(house, "t1", "task_cancelled")


def test_the_waiter_says_whether_all_tasks_are_over():
    """False while one runs, True once its terminal event was sent."""
    house = House()
    assert house.service.wait_for_tasks(0.0) is True
    gate = Gate()
    house.service.start_task(gate)
    assert house.service.wait_for_tasks(0.0) is False
    gate.opened.set()
    assert house.service.wait_for_tasks(TIME_LIMIT) is True
    assert house.sender.types("t1")[-1] == "task_completed"


def test_a_sender_that_hangs_holds_up_the_shutdown_only_so_long(monkeypatch, caplog):
    """The last events get a bounded time, then the process ends without them."""
    monkeypatch.setattr("app.tasks.service.LAST_EVENTS_SECONDS", 0.01)
    house = House()
    release = gevent.event.Event()
    house.sender.during = lambda event: release.wait()
    house.service.start_task(Call(lambda handle: Done()))
    house.sent("task_started")
    house.coordinator.shutdown()
    assert "the last events of some tasks were not sent in time" in caplog.text
    release.set()
    house.settle()


def test_a_lock_is_an_ordinary_one():
    """The service's lock is not reentrant, so the callbacks above would have found it held."""
    assert type(House().service._conductor._lock) is type(threading.Lock())


def test_ids_and_times_have_real_defaults():
    """Without injected ones: a UUID, and the time of day in UTC."""
    from app.lifecycle import ShutdownCoordinator
    from app.services.metrics_service import NullMetrics
    from app.tasks.service import TaskService
    from tests.app.tasks.task_support import Recorder

    service = TaskService(Recorder(), NullMetrics(), ShutdownCoordinator(0.0))
    task_id = service.start_task(Call(lambda handle: Done())).task_id
    assert service.wait_for_tasks(TIME_LIMIT)
    shown = service.get_task_status(task_id)
    assert len(task_id) == 36
    assert abs(shown.finished_at.timestamp() - time.time()) < TIME_LIMIT
