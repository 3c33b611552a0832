"""The descriptor of one stream: borrowed from the server, taken over, written to, released.

A :class:`~gateway_shim.protocol.stream.Stream` is the protocol's side of a stream, a
:class:`Connection` the descriptor's side: socket, watchers, and bytes that the kernel has not taken
yet. A connection knows its stream and reports to an *owner*, which decides. An open stream costs a
descriptor, one watcher and these two objects, and over TLS the session. No greenlet waits for it.

1. *Borrowed*, while the backend is asked: the server's handler owns the socket. We only watch for
   the client's end (:class:`~gateway_shim.streams.sockets.borrowed_socket.BorrowedSocket`).
2. *Taken over*, after ACCEPT or REJECT, as the same descriptor. With a duplicate, epoll would keep
   an entry for the closed original as long as the duplicate lives, and wake the event loop under
   a number that another connection has by then. The client's bytes are read and dropped.
3. *Written to*, by non-blocking sends. What the kernel does not take waits in a *backlog*, and what
   follows waits behind it. Without a log the backlog is an
   :class:`~gateway_shim.protocol.outbox.Outbox`: copies, written by a watcher's callback. With one
   it is a :class:`~gateway_shim.streams.replay.backlog.Backlog`: a place in the log, from which the
   owner's greenlet writes.
4. *Finished*, in CLOSING: the last bytes are written, our half of the connection is shut down, and
   the client has a second to hang up. An immediate close could send a reset, which may discard
   bytes that the client has not read yet.
5. *Released*, at any time: RETURNED leaves the socket to the server, CLOSED closes it.

What must always hold:

- A watcher's callback neither blocks nor logs, because it runs in the hub.
- Watchers are stopped before the socket is closed: another stream may get the number at once.
- A borrowed socket is not closed here, because the server's object would close the number again.
- ``direct`` and ``direct_session`` are set only while one call is all that a chunked frame needs,
  and at most one of them. ``_update_direct`` alone decides this, by state, backlog, framing and
  first event.
"""

from __future__ import annotations

import socket
from functools import partial

from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import OVER_STATES, StreamEvent, StreamState
from gateway_shim.protocol.outbox import Outbox
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.connection_owner import ConnectionOwner
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.progress import Progress
from gateway_shim.streams.sending.tally import tally_of
from gateway_shim.streams.sockets.descriptor import LINGER_SECONDS, Descriptor

__all__ = ["LINGER_SECONDS", "Connection"]


class Connection(Descriptor):
    """The descriptor of one stream.

    Args:
        stream: the stream.
        sock: the server's socket. It is non-blocking underneath, as gevent's sockets are.
        owner: handles the end of the client, failed writes and the last byte.

    Attributes:
        stream: the stream.
        backlog: what the kernel has not taken yet; None if there is nothing.
        told: the position of the last entry that the stream was told other than by an event.
        heartbeat_at: the time of the next heartbeat, by the clock of ``Heartbeats``.
    """

    __slots__ = ("_owner", "backlog", "heartbeat_at", "stream", "told")

    def __init__(
        self, stream: Stream, sock: socket.socket, owner: ConnectionOwner[Connection]
    ) -> None:
        super().__init__(sock, partial(owner.client_gone, self))
        self.stream = stream
        self.heartbeat_at = 0.0
        self.told = -1
        self.backlog: Outbox | Backlog | None = None
        self._owner = owner

    def abort(self) -> None:
        """Release the socket now. A stream that is not over is lost. A second call does nothing.

        A borrowed socket is not closed, and every byte that the client has sent is still in it.
        """
        stream = self.stream
        if stream.state not in OVER_STATES:
            stream.apply(StreamEvent.LOSE)
        self._stop_watchers()
        if self.backlog is not None:
            self.backlog.clear()
        self.set_backlog(None)
        if stream.state is StreamState.RETURNED:
            self._sock.detach()
        else:
            self._sock.close()

    def hang_up(self) -> None:
        """Shut down our half of the connection, and give the client time to hang up, too."""
        self._stop_writer()
        self.set_backlog(None)
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.stream.apply(StreamEvent.FLUSH)
            self.abort()
        else:
            self.stream.apply(StreamEvent.FLUSH)
            self._linger(self.abort)
        self._owner.flushed(self)

    # ------------------------------------------------------------------ bytes of the stream's own

    @property
    def over(self) -> bool:
        """True if the stream has ended and its last byte was written or dropped."""
        return self.stream.state is StreamState.LINGERING or self.stream.state in OVER_STATES

    @property
    def buffered(self) -> int:
        """The bytes of the stream's own that the kernel has not taken yet."""
        return 0 if self.backlog is None else self.backlog.size

    def open(self, first: bytes) -> None:
        """Write the first bytes of an open stream, like :meth:`write`."""
        self.write(first)
        self._update_direct()

    def send(self, frame: Frame) -> None:
        """Write an event of the stream's own to an open stream, like :meth:`write`."""
        was_first = self.stream.awaits_first_event
        self.write(self.stream.event_bytes(frame))
        if was_first:
            self._update_direct()

    def write(self, data: bytes, final: bool = False) -> None:
        """Write bytes of the stream's own, after everything that was written before.

        Args:
            data: the bytes.
            final: True for the last bytes of the stream, which always fit.

        Raises:
            ClientGone: the kernel refused them.
            OutboxFull: the client has left too much unread.
        """
        if self.backlog is not None:
            self.backlog.put(data, final=final)
            if self._writer is None and self._owner.log is not None:
                self._owner.log.ready(self)  # it may have had nothing to write
            return
        sent = self._try_send(data)
        if sent != len(data):
            self.keep(data, sent, final=final)

    def keep(self, data: bytes, sent: int, *, final: bool = False) -> None:
        """Keep bytes of the stream's own that the kernel did not take.

        Args:
            data: the bytes that were to be sent.
            sent: the number of bytes that the kernel took.
            final: True for the last bytes of the stream, which always fit.

        Raises:
            OutboxFull: the client has left too much unread.
        """
        stream, log = self.stream, self._owner.log
        rest = memoryview(data)[sent:]
        if log is None:
            outbox = Outbox(stream.limit, stream.budget)
            outbox.put(rest, final=final)
            self.set_backlog(outbox)
        else:
            backlog = Backlog(log, stream, log.place_of(self))
            backlog.put_rest(rest, final=final)
            self.set_backlog(backlog)
        self.watch()

    def finish(self, last: bytes) -> None:
        """Write the last bytes, then hang up. Call this after CLOSE or REJECT.

        Raises:
            ClientGone: the kernel refused them.
        """
        self._update_direct()
        if last or self.backlog is not None:
            self.write(last, final=True)
        if self.backlog is None:
            self.hang_up()

    # ------------------------------------------------------------------ following the log

    def deliver(self, frame: Frame, position: int) -> None:
        """Write an entry of the log to an open stream, unless the stream reads the log itself.

        Args:
            frame: the entry.
            position: its position.

        Raises:
            ClientGone: the kernel refused the bytes.
        """
        if self.backlog is not None or self._owner.log is None:
            return
        data = self.stream.event_bytes(frame)
        sent = self._try_send(data)
        if sent != len(data):
            self._follow(Backlog(self._owner.log, self.stream, position), data, sent)
        self._update_direct()

    def fall_behind(self, position: int, data: bytes, sent: int) -> None:
        """Note that a send to `direct` took only ``sent`` bytes of the ``data`` of an entry."""
        log = self._owner.log
        if log is not None and sent and not log.has(position):  # trimmed during its delivery
            self._follow(Backlog(log, self.stream, position), data, sent)
        elif log is not None:
            self.set_backlog(Backlog(log, self.stream, position - 1, sent))
            self.watch()

    def _follow(self, backlog: Backlog, data: bytes, sent: int) -> None:
        """Write the rest of an entry, then what follows it in the log."""
        backlog.put_first(memoryview(data)[sent:])
        self.stream.sent += tally_of([data])
        self.set_backlog(backlog)
        self.watch()

    def write_backlog(self) -> Progress:
        """Write a part of the backlog in the log, by one ``send``.

        Raises:
            ClientGone: the kernel refused the bytes.
        """
        self._stop_writer()
        backlog = self.backlog
        if not isinstance(backlog, Backlog):
            return Progress.BLOCKED
        if data := backlog.head():
            sent = self._try_send(data)
            backlog.advance(sent)
            if sent != len(data):
                return Progress.BLOCKED
        return Progress.EMPTY if backlog.caught_up else Progress.MORE

    def set_backlog(self, backlog: Outbox | Backlog | None) -> None:
        """Set what waits. The owner writes a backlog in the log, a watcher's callback an outbox."""
        if isinstance(self.backlog, Backlog):
            self._owner.behind.discard(self)
            self.stream.sent -= self._owner.totals.value  # they count for this stream from now on
        if isinstance(backlog, Backlog):
            self._owner.behind.add(self)
            self.stream.sent += self._owner.totals.value
        self.backlog = backlog
        self._update_direct()

    def go_live(self) -> None:
        """Forget the backlog, which is empty: the stream gets new entries as they come."""
        if isinstance(self.backlog, Backlog):
            self.told = max(self.told, self.backlog.told)
        self.set_backlog(None)

    # ------------------------------------------------------------------ private: called by watchers

    def _left(self, *, timed_out: bool) -> None:
        if self.stream.state is StreamState.LINGERING:
            self.abort()  # a clean end: both sides have hung up
        elif timed_out:
            self._owner.client_stalled(self)
        else:
            self._owner.client_gone(self)

    def _on_writable(self) -> None:
        backlog = self.backlog
        if isinstance(backlog, Backlog):
            self._stop_writer()
            if self._owner.log is not None:
                self._owner.log.ready(self)
        elif backlog is not None:
            self._write_outbox(backlog)

    def _write_outbox(self, outbox: Outbox) -> None:
        try:
            outbox.advance(self._sock.send(outbox.head()))
        except BlockingIOError:
            return
        except OSError:
            self._owner.write_failed(self)
            return
        if outbox.size:
            return
        self._stop_writer()
        self.set_backlog(None)
        if self.stream.state is not StreamState.OPEN:
            self.hang_up()

    def _update_direct(self) -> None:
        """Set the shortcut. Called after each change of the values that it depends on."""
        stream = self.stream
        direct = stream.state is StreamState.OPEN and self.backlog is None and stream.takes_chunks
        self._use_shortcut(direct)
