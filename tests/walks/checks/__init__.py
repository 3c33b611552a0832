"""Checks of the bytes that browsers get."""
