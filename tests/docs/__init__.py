"""Checks of what docs/ says."""
