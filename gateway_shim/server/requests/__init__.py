"""Reads requests: heads, bodies, and their limits."""
