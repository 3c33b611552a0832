"""Walks with random seeds, for as long as you like.

    python -m tests.walks --seconds 600
    python -m tests.walks --seed 4711

A walk that fails is shortened and printed: its steps, what each stream got, and what was wrong.
The exit status is 1 if a walk has failed.
"""

from __future__ import annotations

# Patch before any module imports ssl or socket.
from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import logging  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from tests.walks.run import STEPS, run_seed  # noqa: E402
from tests.walks.shrink import shrink_seed  # noqa: E402
from tests.walks.walk_failed import WalkFailed  # noqa: E402


def main() -> int:
    """Walk, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long")
    parser.add_argument("--seed", type=int, help="one walk only: this one")
    parser.add_argument("--steps", type=int, default=STEPS, help="the steps of a walk")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # thousands of streams are refused, and end
    deadline = time.monotonic() + options.seconds
    failed = walks = 0
    while walks == 0 or (options.seed is None and time.monotonic() < deadline):
        seed = random.randrange(2**31) if options.seed is None else options.seed
        walks += 1
        try:
            run_seed(seed, options.steps)
        except WalkFailed:
            failed += 1
            print(f"\nseed {seed} --steps {options.steps}:\n{shrink_seed(seed, options.steps)}")
    print(f"{walks:,} walks, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
