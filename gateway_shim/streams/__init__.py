"""The streams of one process.

Theory of operation
===================

A gateway has the streams of one process. All of its code runs in the thread of the event loop; the
calls of other threads are passed to this thread (:mod:`gateway_shim.event_loop.loop_thread`). So
the data needs no locks, and other greenlets run only at these points:

- while the backend is asked (:meth:`Gateway.open`), which may take seconds;
- before and between the batches of a broadcast or drain (:mod:`gateway_shim.event_loop.turns`);
- while a drain waits for clients and the backend, or a TLS handler for the end of its stream;
- at any log line, because its handler may wait. So a method logs last, when its work is done.

What happens, and where:

1. *Open.* :mod:`~gateway_shim.streams.opening.openings` checks the limits, registers the token,
   asks the backend, and then writes the head and the events that were held back meanwhile.
2. *Send.* The token is looked up in :mod:`~gateway_shim.streams.registry`, and the event is written
   to its :mod:`~gateway_shim.streams.connection`, or held back while the backend is asked.
3. *Broadcast.* Without a log, :mod:`~gateway_shim.streams.broadcasts` writes the same bytes to many
   connections. With one, an event is appended to it, and :mod:`~gateway_shim.streams.replay` brings
   it to all streams of its audience, also to those that are behind or come back.
4. *End.* The registry removes the token and, if the stream was open, queues a disconnect callback.
   One greenlet sends these (:mod:`~gateway_shim.streams.callbacks.disconnects`).
5. *Drain.* Later requests are refused, and :mod:`~gateway_shim.streams.drain` ends all streams.

What may never happen:

- A send waits for a client. Its backlog takes the bytes; if too many are its own, the stream ends.
- Two streams get two broadcasts in different orders, or one sender's events out of order.

The races: a stream may end where other greenlets run. So its state is read again when the backend
has answered, and a broadcast skips streams that have ended since the look-up.
"""
