"""The parts of the connection manager: its observers, its events, the ends of streams."""
