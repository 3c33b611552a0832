"""The protocol, pure: bytes and decisions.

No module of this folder does I/O, reads a clock, or starts a thread (tests/test_imports.py).
"""
