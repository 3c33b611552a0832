"""Faults of the services that the server depends on."""
