"""Tests of the backend, in the same tree as its modules."""
