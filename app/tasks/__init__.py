"""Background tasks: the base class, the registry by name, and the service that runs them.

Theory of operation
-------------------
The life of a task is one enum and one table of transitions (:mod:`app.tasks.run.lifecycle`).

The order of events:

1. The line (:mod:`app.tasks.run.line`) accepts a task or refuses it. If a slot is free, the task
   is RUNNING at once. The store (:mod:`app.tasks.run.store`) remembers the task.
2. The conductor (:mod:`app.tasks.conductor`) has a greenlet for each task with a slot. It sends
   ``task_started``, and only then starts the body (:mod:`app.tasks.run.body`).
3. The body runs the task. Each update goes through a bounded mailbox to the conductor's greenlet,
   which broadcasts it. The task waits while the mailbox is full.
4. The task returns or raises, its time limit passes, or a caller cancels it. The first of these
   settles the task: its status becomes terminal, and its body is stopped.
5. The greenlet sends the updates that are left (only after RETURN or RAISE), then the terminal
   event. Only then is the slot free, and the next task of the line begins.

If the process ends before the task, another process notices it
(:mod:`app.tasks.memory.takeover`): the task takes the step LOSE, and its one terminal event is sent
by the process that was first.

At PREPARE_SHUTDOWN the line closes, and waiting tasks, which have done no work, are cancelled. At
SHUTDOWN all other tasks are cancelled, and their terminal events are sent before that notification
returns. So construct this service before the component that ends the streams at SHUTDOWN.

If several processes serve, each finds the tasks of all in the memory of the server, and asks the
process of a task to cancel or remove it (:mod:`app.tasks.memory.elsewhere`). Several servers, which
have memories of their own, ask each other for all that (:mod:`app.tasks.servers`). The limits are
those of one process.

What never happens:

* Two terminal events of one task, or any event after the terminal event.
* A broadcast that is cut off: only the body is ever killed, and it sends no events.
* A lock that is held while something is sent, killed, logged or waited for: it guards decisions.
* A slot that is never freed: an exception in the conductor itself fails the task, too.

Where the races are:

* A task is ended twice in the same turn of the loop: only the first ``settle()`` has an effect.
* A cancel arrives while ``task_started`` is sent: there is no body yet, and none is started.
* A status is terminal before the terminal event is sent: a client may read it early.
* A native thread outlives its task: its updates are refused, and its result is ignored.
* Another service is notified of the shutdown first: ``start_task`` asks the coordinator itself.

All methods may be called from any thread; they run in the thread of the event loop
(:mod:`gateway_shim.event_loop.loop_thread`).
"""

from __future__ import annotations

__all__: list[str] = []
