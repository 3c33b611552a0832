"""Scenarios about callbacks to the backend."""
