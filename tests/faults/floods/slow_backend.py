"""A backend that answers the callbacks of the attack ``reconnecting`` slowly.

    python -m tests.faults.floods.slow_backend PORT

``tests.faults.attacks.user_tasks.authorize_slowly`` is an SSE_AUTHORIZE hook with that delay.
"""

from __future__ import annotations

import sys

import gevent
from gevent.pywsgi import WSGIServer

SECONDS = 4.5
"""The delay of a response, in seconds. A gateway waits for at most five seconds."""


def answer(environ: dict[str, object], start_response: object) -> list[bytes]:
    """Accept every callback, and delay the callbacks of the attack."""
    if b"request_id=again-" in environ["wsgi.input"].read():  # type: ignore[attr-defined]
        gevent.sleep(SECONDS)
    start_response("200 OK", [("Content-Type", "application/json")])  # type: ignore[operator]
    return [b"{}"]


if __name__ == "__main__":
    WSGIServer(("127.0.0.1", int(sys.argv[1])), answer, log=None, backlog=4096).serve_forever()
