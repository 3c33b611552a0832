"""The gateway's protocol as pure functions: bytes in, bytes and decisions out.

No module of this folder does I/O, reads a clock or starts a thread. A test walks the folder and
follows every import (tests/structure/test_purity.py).
"""
