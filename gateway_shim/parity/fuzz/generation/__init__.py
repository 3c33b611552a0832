"""Generated cases, the same for each seed; each module generates one kind of thing."""

from gateway_shim.parity.fuzz.generation.events import has_empty_rejection
from gateway_shim.parity.fuzz.generation.stream_cases import generate

__all__ = ["generate", "has_empty_rejection"]
