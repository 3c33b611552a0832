"""The tasks of other servers, which share the log with this one but not its memory.

Theory of operation
-------------------
A task belongs to the one process that runs it. The processes of one server find each other's tasks
in the memory of the server (:mod:`app.tasks.memory`). The tasks of another server are known to its
processes only, so they are asked:

* A list is merged from a part of each server (:mod:`~app.tasks.servers.listing`). One process of a
  server answers for all of them.
* A task that this server does not know is looked up on all others
  (:mod:`~app.tasks.servers.lookup`). The process that has the task answers with a copy. What is
  then done with the task is a question to that process.

A server that ends normally ends its tasks first. One that is killed as a whole, or loses its
machine, takes its tasks with it: they are in no list any more. But browsers are told that they have
failed:

* Each process tells the others which of its tasks are unfinished
  (:mod:`~app.tasks.servers.notes`), so that each server knows those of all others.
* When all processes of a server have been gone for a while, one of the others sends
  ``task_failed`` for them (:mod:`~app.tasks.servers.lost`). Which one is decided by the log: the
  first that claims the tasks there.
* A server that comes back with its memory, or was only cut off, learns which of its tasks were
  told, and does not tell them again.

A server that shares its log with no other one asks and tells nothing.
"""

from __future__ import annotations

__all__: list[str] = []
