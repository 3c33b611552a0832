"""The command ``sse-monolith watch``, which shows an event stream in a terminal."""
