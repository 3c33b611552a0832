"""Attacks with request bodies: tiny chunks, ten thousand errors, or bodies that never end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

from tests.faults.attacks.target import Pace, Target, send_and_hold

__all__ = ["bad_json", "chunk_extensions", "posts_to_nowhere", "tiny_chunks"]

MEGABYTE = 1024 * 1024


def tiny_chunks(target: Target) -> None:
    """Send a body of a megabyte in chunks of one byte, which is seven megabytes on the wire.

    Options: ``path``; ``rate``, in bytes per second.
    """
    pieces = [_chunked_head(target), *[b"1\r\na\r\n" * 10_000] * 104, b"0\r\n\r\n"]
    pace = Pace(target.number("rate", 4 * MEGABYTE))
    while True:
        _send_until_refused(target, pieces, pace)


def chunk_extensions(target: Target) -> None:
    """Send chunks of one byte with eight kilobytes of extension each, then an endless extension.

    Options: ``path``; ``rate``, in bytes per second; ``size``, bytes of a body.
    """
    size = target.number("size", 256 * MEGABYTE)
    chunk = b"1;" + b"x" * 8000 + b"\r\na\r\n"
    many = chunk * (MEGABYTE // len(chunk))
    endless = b"x" * MEGABYTE
    head = _chunked_head(target)
    pace = Pace(target.number("rate", 256 * MEGABYTE))
    for first, more in itertools.cycle(((many, many), (b"1;", endless))):
        _send_until_refused(target, [head + first, *[more] * (size // len(more))], pace)


def bad_json(target: Target) -> None:
    """Send well-formed JSON with as many validation errors as fit, as callbacks and parameters.

    The bodies have 830 KB, and just under the 100 KB that are allowed, in turn. Options: ``rate``,
    in bytes per second; ``secret``, the secret of the callback.
    """
    secret = target.text("secret", "")
    callback = "/api/sse/callback" + (f"?secret={secret}" if secret else "")
    requests = []
    for size in (830_000, 100_000):
        members = ",".join(f'"{number:x}":0' for number in range(size // 9)).encode()
        request = b'{"action":"connect","token":"t","request":{"url":"/","headers":{%s}}}'
        requests += [
            target.post(callback, request % members, "Connection: close"),
            target.post(
                "/api/tasks",
                b'{"task_type":"demo_task","params":{%s}}' % members,
                "Connection: close",
            ),
            target.post("/api/tasks", b"[" * size, "Connection: close"),
            target.post("/api/tasks", b"9" * size, "Connection: close"),
        ]
    pace = Pace(target.number("rate", 2_000_000))
    target.begun()
    for request in itertools.cycle(requests):
        pace.spend(len(request))
        target.ask(request)


def posts_to_nowhere(target: Target) -> None:
    """Send a thousand bodies to a missing page, each one byte shorter than its Content-Length.

    Options: ``connections``, 1,000; ``size``, bytes of each body; ``path``; ``rate``, in bytes per
    second.
    """
    size = target.number("size", MEGABYTE - 1)
    path = target.text("path", "/nowhere")
    request = target.post(path, b"")[:-4].replace(
        b"Content-Length: 0", b"Content-Length: %d" % size
    )
    data = request + b"\r\n\r\n" + b" " * (size - 1)
    pace = Pace(target.number("rate", 200 * MEGABYTE) / len(data))
    send_and_hold(
        target, itertools.repeat(data), pace, target.number("connections", 1000), seconds=1
    )


def _chunked_head(target: Target) -> bytes:
    return target.head(
        "POST",
        target.text("path", "/api/tasks"),
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        "Connection: close",
    )


def _send_until_refused(target: Target, pieces: Iterable[bytes], pace: Pace) -> None:
    """Send a request on a new connection, until its end or until the server refuses it."""
    target.begun()
    try:
        with target.connect() as connection:
            for piece in pieces:
                pace.spend(len(piece))
                connection.sendall(piece)
            while connection.recv(65536):
                pass
    except OSError:
        time.sleep(0.005)
