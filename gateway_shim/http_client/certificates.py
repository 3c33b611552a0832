"""The certificate authorities that our HTTP clients trust: :func:`client_context`."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Mapping

import certifi

from gateway_shim.errors import InvalidConfiguration

__all__ = ["VARIABLES", "client_context", "default_context"]

VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
"""Environment variables that say which authorities are trusted."""

_NOTHING = "it holds no certificate"


def client_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Make the TLS settings of a client, which checks every server's certificate.

    The authorities are those of ``REQUESTS_CA_BUNDLE``, a file or a folder; without it, those of
    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``; without any, certifi's list of public ones. Those of
    ``NODE_EXTRA_CA_CERTS``, a file, are trusted besides. An empty variable is as none.

    Args:
        environ: the environment.

    Raises:
        InvalidConfiguration: a variable names what cannot be read, or holds no certificate; the
            message says what to do.
    """
    bundle = environ.get("REQUESTS_CA_BUNDLE")
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Private authorities often lack an extension that RFC 5280 asks for, and that Python demands
    # from 3.13 on; Node does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if bundle and os.path.isdir(bundle):
        _trust_folder(context, "REQUESTS_CA_BUNDLE", bundle)
    elif bundle:
        _trust_file(context, "REQUESTS_CA_BUNDLE", bundle)
    elif file or folder:
        if file:
            _trust_file(context, "SSL_CERT_FILE", file)
        if folder:
            for each in folder.split(os.pathsep):
                _trust_folder(context, "SSL_CERT_DIR", each)
    else:
        context.load_verify_locations(certifi.where())
    if extra := environ.get("NODE_EXTRA_CA_CERTS"):
        _trust_file(context, "NODE_EXTRA_CA_CERTS", extra)
    return context


@functools.cache
def default_context() -> ssl.SSLContext:
    """Return the TLS settings after this process's environment; made once, at the first call."""
    return client_context(os.environ)


def _trust_file(context: ssl.SSLContext, variable: str, path: str) -> None:
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        alone.load_verify_locations(cafile=path)
        context.load_verify_locations(cafile=path)
        # Counted alone: what is trusted already is not counted again.
        if alone.cert_store_stats()["x509"]:
            return
        why = _NOTHING
    except ssl.SSLError as exc:
        none = exc.reason == "NO_CERTIFICATE_OR_CRL_FOUND"
        why = _NOTHING if none else "a part of it is broken, or not a certificate"
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
    raise InvalidConfiguration(
        f"{variable} names {path!r}, which cannot be used: {why}; name a file of certificates in"
        f" PEM format, or unset {variable}"
    )


def _trust_folder(context: ssl.SSLContext, variable: str, path: str) -> None:
    if not os.path.isdir(path):
        raise InvalidConfiguration(
            f"{variable} names {path!r}, which is not a folder; name a folder that openssl rehash"
            f" has prepared, or unset {variable}"
        )
    context.load_verify_locations(capath=path)
