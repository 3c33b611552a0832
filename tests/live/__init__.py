"""Tests of the backend under a real gunicorn in a child process."""
