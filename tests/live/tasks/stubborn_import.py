"""A module of tasks whose import ignores signals and never ends."""

from __future__ import annotations

import signal
import time

for _sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
    signal.signal(_sig, signal.SIG_IGN)
print("import does not end", flush=True)
while True:
    time.sleep(1)
