"""Helpers of the tests of the table of tasks: the tables of several processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.schemas.task_schema import TaskProgress
from app.state.server_memory import ServerMemory
from app.tasks.memory.table import TaskTable
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.outcome import ResultLimits, TaskOutcome
from app.tasks.run.record import TaskRecord
from tests.app.state.memory_support import Server
from tests.app.tasks.task_support import Clock, Gate

__all__ = ["NOW", "Process", "completed", "pending", "running"]

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Process:
    """One process of a server, with its table of tasks.

    Args:
        server: the server.
        durable: whether the directory survives a restart.
        limits: the limits of results.
    """

    server: Server
    durable: bool = True
    limits: ResultLimits = field(default_factory=ResultLimits)

    def __post_init__(self) -> None:
        """Start the process."""
        self.now = NOW
        self.clock = Clock()
        self.memory: ServerMemory = self.server.started(durable=self.durable)
        self.table = TaskTable(self.memory, self.limits, clock=self.clock, now=lambda: self.now)

    def end(self) -> None:
        """End the process, as if it had been killed: its tasks stay as they are."""
        self.memory.close()

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass for this process."""
        self.now += timedelta(seconds=seconds)
        self.clock.now += seconds

    def take_over(self) -> list[TaskRecord]:
        """Take over all tasks of ended processes."""
        taken = []
        for process in self.table.ended_processes():
            while more := self.table.take_over(process):
                taken += [task.record for task in more]
        return taken


def pending(number: int) -> TaskRecord:
    """Return a waiting task."""
    return TaskRecord(f"t{number}", Gate(), {"a": 1}, NOW, number)


def running(number: int) -> TaskRecord:
    """Return a running task."""
    record = pending(number)
    record.begin(NOW, 1000.0)
    record.progress = TaskProgress(text="half \u00fc", value=0.5)
    return record


def completed(number: int, result: bytes = b'{"a":1}') -> TaskRecord:
    """Return a completed task."""
    record = running(number)
    record.end(TaskOutcome(TaskStep.RETURN, result_json=result), NOW, 1000.0)
    return record
