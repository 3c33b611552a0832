"""Measures the event loop's lag, and finds out what blocks the loop."""
