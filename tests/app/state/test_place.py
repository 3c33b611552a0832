"""The directory of a server."""

from __future__ import annotations

from pathlib import Path

from app.state.place import StatePlace
from app.state.server_memory import ServerMemory


def test_a_memory_takes_what_its_place_says(tmp_path: Path) -> None:
    """One worker is the default; the memory knows its place once it is started."""
    assert StatePlace(tmp_path, durable=True).workers == 1
    memory = ServerMemory(lambda: StatePlace(tmp_path, durable=True, workers=4))
    assert (memory.is_durable, memory.workers) == (False, 1)
    memory.start()
    assert (memory.is_durable, memory.workers) == (True, 4)
    memory.close()
