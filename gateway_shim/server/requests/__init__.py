"""Reads requests: heads, bodies, connections, and their limits."""
