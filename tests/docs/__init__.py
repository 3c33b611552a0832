"""Checks of the pages in docs/."""
