"""Requests and streams of a running backend."""
