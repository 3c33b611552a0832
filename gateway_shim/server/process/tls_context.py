"""The TLS context of a server, which all its workers share.

A client that comes back resumes its session with a ticket, which only the context that has made the
ticket can read. A resumed handshake needs no signature, so it takes a fraction of the time. The
arbiter therefore makes the context before it forks: every worker, also one that replaces a crashed
one, can read the tickets of the others.

A reload makes a new context if the certificate, its key or a TLS setting has changed, and once a
day, because whoever learns the key of the tickets can read what TLS 1.2 sessions have sent.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import time
from pathlib import Path
from typing import Any, NamedTuple

from gunicorn.sock import ssl_context

__all__ = ["prepare_context", "shared_context"]

logger = logging.getLogger(__name__)

_KEEP_SECONDS = 24 * 3600.0
"""The age from which a reload makes a new context, although nothing has changed."""


class _Made(NamedTuple):
    """A context, and what it was made from."""

    cfg: Any
    contents: tuple[object, ...]
    made_at: float
    context: ssl.SSLContext


_last: _Made | None = None
"""The context that was made last; a worker inherits the arbiter's."""


def prepare_context(cfg: Any) -> None:
    """Make the context of a server before its worker is forked. Does nothing without TLS.

    Args:
        cfg: gunicorn's configuration.
    """
    if not cfg.is_ssl:
        return
    try:
        shared_context(cfg)
    except OSError as exc:  # the arbiter must go on; the worker has the same error, and reports it
        logger.error("the certificate cannot be used", extra={"error": str(exc)})


def shared_context(cfg: Any) -> ssl.SSLContext:
    """Return the context of a server. Makes one if there is none for these settings and files.

    Args:
        cfg: gunicorn's configuration.

    Raises:
        OSError: the certificate or its key cannot be used.
    """
    global _last
    contents = _contents(cfg)
    last, now = _last, time.monotonic()
    # A context of an arbiter that was not patched blocks: the worker, which is, needs another one.
    if last is not None and last.contents == contents and isinstance(last.context, ssl.SSLContext):
        if last.cfg is cfg:
            return last.context
        if now - last.made_at < _KEEP_SECONDS:
            _last = last._replace(cfg=cfg)
            return last.context
    _last = _Made(cfg, contents, now, ssl_context(cfg))
    return _last.context


def _contents(cfg: Any) -> tuple[object, ...]:
    """Return what the context depends on: the settings, and the digests of the files."""
    files = (cfg.certfile, cfg.keyfile, cfg.ca_certs)
    digests = (name and hashlib.sha256(Path(name).read_bytes()).digest() for name in files)
    return (*digests, cfg.ciphers, cfg.cert_reqs, tuple(cfg.http_protocols), cfg.ssl_context)
