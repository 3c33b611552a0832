"""Generated cases, the same for a seed: one module for each noun that is made up."""

from gateway_shim.parity.fuzz.generation.events import has_empty_rejection
from gateway_shim.parity.fuzz.generation.stream_cases import generate

__all__ = ["generate", "has_empty_rejection"]
