"""Tests of clients that others wrote, in a real browser."""
