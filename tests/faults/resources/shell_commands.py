"""Shell commands that start the backend, for tests that change limits or outputs in a shell."""

from __future__ import annotations

import sys

__all__ = ["GUNICORN", "SERVE"]

GUNICORN = (
    f"exec {sys.executable} -m gunicorn -c gunicorn.conf.py"
    " -b 127.0.0.1:{port} 'app:create_app()'"
)
"""The backend under gunicorn."""

SERVE = f"exec {sys.executable} -m app serve --port {{port}}"
"""The backend as ``serve`` runs it."""
