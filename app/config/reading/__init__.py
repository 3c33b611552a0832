"""Reads the sources of settings: the lines of ``.env``, and misspelled names."""
