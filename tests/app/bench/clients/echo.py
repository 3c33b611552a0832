"""A helper process for the tests of the helper."""

from __future__ import annotations

import os
from typing import NoReturn

from app.bench.clients.helper import serve
from app.bench.errors import BenchFailed


def fail(message: str) -> NoReturn:
    """Raise the error of a failed measurement."""
    raise BenchFailed(message)


def die(word: str) -> NoReturn:
    """End the process."""
    os.write(2, word.encode())
    os._exit(3)


if __name__ == "__main__":
    serve({"double": lambda number: 2 * number, "fail": fail, "die": die})
