"""``python -m app``: the same as the command ``sse-monolith``."""

from app.cli import main

main(prog_name="sse-monolith")
