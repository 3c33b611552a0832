"""Faults of networks, clients, workers and servers, with counts: every client gets every event."""
