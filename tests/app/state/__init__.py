"""Tests of what the backend remembers when a process ends."""
