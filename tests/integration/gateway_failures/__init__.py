"""Failures of a gateway behind HTTP.

The backend never waits longer than one time limit, which is short here.
"""
