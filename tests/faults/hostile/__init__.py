"""Clients that are broken or send hostile input."""
