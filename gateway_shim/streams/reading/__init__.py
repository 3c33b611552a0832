"""The reading of a gateway: its counters, and the list of its streams."""
