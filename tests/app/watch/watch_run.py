"""A run of ``watch`` against a scripted server, and the events that the server sends."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from typing import Any

from app.watch.command import watch
from tests.support.http.scripted_server import Script, ScriptedServer


def event(name: str, data: Any) -> bytes:
    """Encode an event as the backend does."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def task_event(task_id: str, kind: str, data: Any) -> bytes:
    """Encode an event of a task as the backend does."""
    return event("task_event", {"event_type": kind, "task_id": task_id, "data": data})


VERSION = event("version", {"version": "1"})


class WatchRun:
    """One run of ``watch``, which Ctrl-C ends at the last allowed pause."""

    def __init__(
        self,
        *scripts: Script,
        pauses: int = 1,
        path: str = "",
        during: Callable[[WatchRun], None] | None = None,
        **options: Any,
    ) -> None:
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.pauses: list[float] = []
        self._allowed = pauses
        with ScriptedServer(*scripts) as server:
            self.port = server.port
            helper = threading.Thread(target=lambda: during(self) if during else None)
            helper.start()
            self.status = watch(
                f"http://127.0.0.1:{server.port}{path}",
                out=self.out,
                err=self.err,
                sleep=self._pause,
                chance=lambda: 0.0,
                now=lambda: 0.0,
                ticks=lambda: 0.0,
                new_id=lambda: "new-id",
                **options,
            )
            helper.join()
        self.requests = server.requests

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._allowed:
            raise KeyboardInterrupt

    @property
    def lines(self) -> list[str]:
        """The printed lines, without the time at the beginning of each line."""
        return [line[9:] for line in self.out.getvalue().splitlines()]

    @property
    def messages(self) -> list[str]:
        """The lines that were printed beside the events."""
        url = f"http://127.0.0.1:{self.port}"
        return [line.replace(url, "URL") for line in self.err.getvalue().splitlines()]
