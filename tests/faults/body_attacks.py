"""Clients that attack with bodies, or that do not read answers: a process of their own.

    python -m tests.faults.body_attacks KIND PORT [PATH]

It attacks until it is killed; each line on its standard output says that one round is over.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.support.server import ROOT

__all__ = ["ATTACKS", "attack"]

CALLBACK = "/api/sse/callback"
TYPE = "Content-Type: application/json\r\n"


def head(method: str, path: str, *lines: str) -> bytes:
    """Return a request's head."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a", TYPE + "".join(lines), ""]).encode()


def dial(port: int, receive_buffer: int | None = None) -> socket.socket:
    """Connect; the time limit keeps a round from lasting for ever."""
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    return connection


def ask(port: int, data: bytes) -> bytes:
    """Send on a fresh connection, and read until the answer has begun."""
    with contextlib.suppress(OSError), dial(port) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        return connection.recv(65536)
    return b""


def tiny_chunks(port: int, _: str) -> None:
    """A megabyte in chunks of one byte: 6 MB on the wire."""
    lines = head("POST", CALLBACK, "Transfer-Encoding: chunked\r\n")
    ask(port, lines + b"1\r\na\r\n" * 1_000_000)


def long_extensions(port: int, _: str) -> None:
    """Chunks of one byte with 8 KB of extension each, without end."""
    chunks = (b"1;" + b"a" * 8000 + b"\r\na\r\n") * 200
    with contextlib.suppress(OSError), dial(port) as connection:
        connection.sendall(head("POST", CALLBACK, "Transfer-Encoding: chunked\r\n"))
        while True:
            connection.sendall(chunks)


def bad_json(port: int, _: str, size: int = 830_000) -> None:
    """A callback in which nearly everything is wrong, and a start of a task."""
    numbers = ",".join("0" * (size // 2))
    fields = ",".join(f'"{number}":0' for number in range(size // 9))
    connect = (
        f'{{"action":"connect","token":"t","request":{{"url":"u","headers":{{"a":[{numbers}]}}}}}}'
    )
    start = f'{{"task_type":"demo_task","params":{{{fields}}}}}'
    for path, body in ((CALLBACK, connect), ("/api/tasks", start)):
        ask(port, head("POST", path, f"Content-Length: {len(body)}\r\n") + body.encode())


def bad_json_that_fits(port: int, path: str) -> None:
    """The same in bodies that are just small enough to be read."""
    bad_json(port, path, 100_000)


def nowhere(port: int, _: str) -> None:
    """A thousand bodies for a path that does not exist, each one byte short of 1 MB; 200 a second.

    So many that 200 MB a second arrive, but not so many that the machine is busy with the sending.
    """
    lines = head("POST", "/nowhere", f"Content-Length: {1024 * 1024}\r\n")
    body = bytes(1024 * 1024 - 1)

    def send(_: int) -> socket.socket | None:
        with contextlib.suppress(OSError):
            connection = dial(port)
            connection.settimeout(2)
            with contextlib.suppress(OSError):
                connection.sendall(lines + body)
            return connection
        return None

    with ThreadPoolExecutor(50) as pool:
        sending = []
        for number in range(1000):
            sending.append(pool.submit(send, number))
            time.sleep(0.005)
        held = [each.result() for each in sending]
    time.sleep(1)
    for connection in filter(None, held):
        connection.close()


def slow_readers(port: int, path: str) -> None:
    """2,050 clients that ask for a large answer and do not read it; 400 a second."""
    held = []
    for _ in range(2050):
        time.sleep(0.0025)
        with contextlib.suppress(OSError):
            connection = dial(port, 4096)
            held.append(connection)
            connection.sendall(head("GET", path))
    time.sleep(5)
    for connection in held:
        connection.close()


def unread_pipelines(port: int, _: str) -> None:
    """2,050 clients that send requests and do not read the answers; 400 a second."""
    requests = head("GET", "/api/tasks") * 2000
    held = []
    for _number in range(2050):
        time.sleep(0.0025)
        with contextlib.suppress(OSError):
            connection = dial(port, 4096)
            connection.setblocking(False)
            held.append(connection)
            connection.send(requests)
    time.sleep(5)
    for connection in held:
        connection.close()


ATTACKS: dict[str, Callable[[int, str], None]] = {
    "tiny_chunks": tiny_chunks,
    "long_extensions": long_extensions,
    "bad_json": bad_json,
    "bad_json_that_fits": bad_json_that_fits,
    "nowhere": nowhere,
    "slow_readers": slow_readers,
    "unread_pipelines": unread_pipelines,
}


@contextmanager
def attack(kind: str, port: int, path: str = "/") -> Iterator[None]:
    """Attack a server while the block lasts, and until one round is over at least.

    Args:
        kind: one of :data:`ATTACKS`.
        port: of the server.
        path: what is asked for, where the attack does not say so itself.
    """
    command = [sys.executable, "-m", "tests.faults.body_attacks", kind, str(port), path]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Attack until killed."""
    kind, port, path = sys.argv[1:4]
    print("begun", flush=True)
    while True:
        ATTACKS[kind](int(port), path)


if __name__ == "__main__":
    main()
