"""Helpers of the tests: HTTP clients, an SSE parser, and servers in child processes."""
