"""Tests of the repository's structure: what imports what, where tests are, sizes, docstrings."""
