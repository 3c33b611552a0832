"""Gives the backend to gunicorn: its settings, and what the worker needs."""
