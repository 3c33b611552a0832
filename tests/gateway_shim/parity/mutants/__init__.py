"""The shim with one deliberate fault: ``python -m tests.gateway_shim.parity.mutants NAME``.

The name is one of :data:`MUTANTS` or :data:`FUZZ_MUTANTS`; options of the shim may follow.

Each fault is applied where gunicorn's worker loads the application, after gevent has patched the
process, so that the rest of the program is the shim without changes. That is why some faults
import their modules inside the function: these modules must not be loaded before gevent patches.
"""

from __future__ import annotations

from tests.gateway_shim.parity.mutants import (
    callback_faults,
    fuzz_faults,
    request_faults,
    stream_faults,
)
from tests.gateway_shim.parity.mutants.fault_registry import Fault

__all__ = ["FUZZ_MUTANTS", "MUTANTS"]

MUTANTS: dict[str, Fault] = {
    **stream_faults.FAULTS,
    **callback_faults.FAULTS,
    **request_faults.FAULTS,
}
"""Every fault that a scenario can show, by name."""

FUZZ_MUTANTS: dict[str, Fault] = dict(fuzz_faults.FAULTS)
"""Every fault that only generated cases can show, by name."""
