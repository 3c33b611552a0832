"""Redis itself: its address, a connection, and what is asked of it."""
