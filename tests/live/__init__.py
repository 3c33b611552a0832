"""Tests against a real gunicorn in a subprocess."""
