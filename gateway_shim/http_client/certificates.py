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
"""The environment variables that name the trusted authorities."""

_NO_CERTIFICATE = "it contains no certificate"


def client_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Make the TLS settings of a client, which checks the certificate of every server.

    The trusted authorities are those of ``REQUESTS_CA_BUNDLE``, a file or a folder. If it is not
    set, they are those of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``. If none of the three is set, they
    are certifi's list of public authorities. The authorities of ``NODE_EXTRA_CA_CERTS``, a file,
    are trusted in addition. An empty variable counts as not set.

    Args:
        environ: the environment.

    Raises:
        InvalidConfiguration: a variable names a file or folder that cannot be read, or a file
            without a certificate. The message says what to do.
    """
    bundle = environ.get("REQUESTS_CA_BUNDLE")
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Certificates of private authorities often lack an extension that RFC 5280 requires. Python
    # insists on it since version 3.13; Node does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if bundle and os.path.isdir(bundle):
        _trust_folder(context, "REQUESTS_CA_BUNDLE", bundle)
    elif bundle:
        _trust_file(context, "REQUESTS_CA_BUNDLE", bundle)
    elif file or folder:
        if file:
            _trust_file(context, "SSL_CERT_FILE", file)
        if folder:
            for path in folder.split(os.pathsep):
                _trust_folder(context, "SSL_CERT_DIR", path)
    else:
        context.load_verify_locations(certifi.where())
    if extra := environ.get("NODE_EXTRA_CA_CERTS"):
        _trust_file(context, "NODE_EXTRA_CA_CERTS", extra)
    return context


@functools.cache
def default_context() -> ssl.SSLContext:
    """Return the TLS settings of this process's environment. They are made at the first call."""
    return client_context(os.environ)


def _trust_file(context: ssl.SSLContext, variable: str, path: str) -> None:
    separate_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        separate_context.load_verify_locations(cafile=path)
        context.load_verify_locations(cafile=path)
        # Counted in a separate context, because a certificate that is trusted already does not
        # count again.
        if separate_context.cert_store_stats()["x509"]:
            return
        problem = _NO_CERTIFICATE
    except ssl.SSLError as exc:
        is_empty = exc.reason == "NO_CERTIFICATE_OR_CRL_FOUND"
        problem = _NO_CERTIFICATE if is_empty else "a part of it is broken, or not a certificate"
    except (OSError, ValueError) as exc:
        problem = getattr(exc, "strerror", None) or str(exc)
    raise InvalidConfiguration(
        f"{variable} names {path!r}, which cannot be used: {problem}; name a file of certificates"
        f" in PEM format, or unset {variable}"
    )


def _trust_folder(context: ssl.SSLContext, variable: str, path: str) -> None:
    if not os.path.isdir(path):
        raise InvalidConfiguration(
            f"{variable} names {path!r}, which is not a folder; name a folder that openssl rehash"
            f" has prepared, or unset {variable}"
        )
    context.load_verify_locations(capath=path)
