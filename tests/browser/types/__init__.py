"""Checks of the browser client's file, and of its types."""
