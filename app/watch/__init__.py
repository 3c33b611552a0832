"""``sse-monolith watch``: the event stream in a terminal."""
