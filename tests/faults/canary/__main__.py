"""The process of the canary: ``python -m tests.faults.canary``.

    python -m tests.faults.canary PORT [--path /healthz] [--host 127.0.0.1] [--tls]

The process sends the server a small request every 50 ms. It answers each line on its standard
input with one line of JSON: how long each request took that has begun since the last line,
in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading

from tests.faults.canary.questions import Questions


def main() -> None:
    """Run the canary until its standard input ends."""
    parser = argparse.ArgumentParser(description="Measure how fast a server answers.")
    parser.add_argument("port", type=int)
    parser.add_argument("--path", default="/healthz")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    questions = Questions(options.host, options.port, options.path, options.tls)
    threading.Thread(target=questions.send_without_end, daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps(questions.take()), flush=True)
    os._exit(0)  # Requests that still wait for an answer do not matter any more.


main()
