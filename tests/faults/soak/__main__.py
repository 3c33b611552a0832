"""The soak test: a million events on streams that come and go, with attackers beside them.

    python -m tests.faults.soak --minutes 10 --events 1000000

The server runs in production mode, as on a public port without a proxy. The command prints a line
of figures every few seconds. Its exit status is 1 if memory or descriptors have grown, if an event
was lost on a stream that stayed or was resumed, if the server was too slow for other clients during
the attacks, or if a greenlet was left over. Then, for a fifth of that time, another server is
reloaded, killed and restarted; a client that misses an event there makes the exit status 1, too.
The command needs only the requirements of the tests.
"""

from __future__ import annotations

# Patch before any module imports ssl or socket.
from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from tests.faults.attacks.user_tasks import APP_TASKS  # noqa: E402
from tests.faults.canary.canary import Canary  # noqa: E402
from tests.faults.soak.faults import FaultCounts, soak_in_faults  # noqa: E402
from tests.faults.soak.run import Soak  # noqa: E402
from tests.support.http.client import request  # noqa: E402
from tests.support.processes.server import GunicornServer  # noqa: E402

ENV = {
    "FLASK_ENV": "production",
    "SSE_CALLBACK_SECRET": "of the soak",
    "ALLOW_OPEN": "tasks,metrics",
    "APP_TASKS": APP_TASKS,
    "LOG_LEVEL": "WARNING",
    "TASK_CLEANUP_INTERVAL_SECONDS": "10",
}


def main() -> int:
    """Run the soak test and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--events", type=int, default=1_000_000, help="deliveries")
    parser.add_argument("--streams", type=int, default=100, help="at a time")
    parser.add_argument("--no-attackers", action="store_true", help="only streams and tasks")
    options = parser.parse_args()
    with GunicornServer(env=ENV, application="tests.faults.soak.application:create()") as server:
        request(server.port, "GET", "/metrics")
        soak = Soak(
            server,
            options.minutes * 60,
            options.events,
            options.streams,
            not options.no_attackers,
        )
        soak.note_idle()
        began = time.monotonic()
        with Canary(server.port) as canary:
            soak.run(canary)
        counts = soak.counts
        if counts.events < options.events:
            counts.faults.append(f"only {counts.events:,} of {options.events:,} events")
        if server.terminate() != 0:
            counts.faults.append("the server did not end with status 0")
        if "Traceback" in server.log:
            counts.faults.append("the log has a traceback")
    in_faults = FaultCounts()
    try:
        in_faults = soak_in_faults(options.minutes * 60 / 5)
    except AssertionError as exc:
        counts.faults.append(f"in the faults: {exc}")
    print(
        json.dumps(
            {
                "seconds": round(time.monotonic() - began),
                "events": counts.events,
                "lost": counts.lost,
                "resumed": counts.resumed,
                "resyncs": counts.resyncs,
                "streams": counts.opened,
                "tasks": counts.tasks,
                "attacks": soak.attacks,
                "deployments_and_crashes": in_faults.faults,
                "state_bytes": in_faults.state_bytes,
                "faults": counts.faults,
            }
        )
    )
    return 1 if counts.faults else 0


sys.exit(main())
