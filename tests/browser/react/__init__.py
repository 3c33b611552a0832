"""Tests of the hooks for React that docs/frontend.md shows."""
