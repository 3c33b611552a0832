"""Helpers of the tests of tasks on several servers: each has a memory of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.app.state.memory_support import Server
from tests.app.tasks.task_support import Call, Done
from tests.app.tasks.test_service_processes import Process
from tests.support.peers import PeerGroup

__all__ = ["ServerProcess", "Servers", "finished"]


class Servers:
    """Some servers, which share a log.

    Args:
        directory: the directory of the servers' memories.
    """

    def __init__(self, directory: Path) -> None:
        self.group = PeerGroup()
        self._directory = directory
        self._servers: dict[str, Server] = {}
        self.processes: list[ServerProcess] = []

    def process(self, name: str, server: str, **options: Any) -> ServerProcess:
        """Start a process.

        Args:
            name: the name of the process, and the first part of the IDs of its tasks.
            server: the name of its server.
            options: those of the task service.
        """
        if server not in self._servers:
            directory = self._directory / server
            directory.mkdir()
            self._servers[server] = Server(directory)
        peers = self.group.join(f"{name}@{server}")
        process = ServerProcess(self._servers[server], name, peers=peers, **options)
        process.peers = peers
        self.processes.append(process)
        return process

    def rows(self, server: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of a server's memory."""
        return self._servers[server].rows(query)

    def end(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.end()
        for server in self._servers.values():
            for memory in server.memories:
                memory.close()


class ServerProcess(Process):
    """A task service in a process of one of several servers."""

    peers: Any

    def kill(self) -> None:
        """End the process without its shutdown. Its greenlets go on, and reach nobody."""
        self.peers.leave()
        super().kill()


def finished(process: ServerProcess, number: int = 1) -> str:
    """Run a task to its end, beside other tasks, and return its ID."""
    task_id = process.service.start_task(Call(lambda handle: Done(number=number))).task_id
    process.sent("task_completed", task_id)
    return task_id
