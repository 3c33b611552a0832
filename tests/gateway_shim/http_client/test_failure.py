"""Tests of the translation of the libraries' errors."""

from __future__ import annotations

import http.client
import ssl

import pytest
import requests
import urllib3

from gateway_shim.errors import AnswerTimeout, BadCertificate, RequestFailed
from gateway_shim.http_client.failure import request_failure


def wrapped(inner: Exception) -> Exception:
    """Wrap an error as the libraries do, with the URL in the outer errors' texts."""
    try:
        try:
            raise inner
        except type(inner) as exc:
            raise urllib3.exceptions.ProtocolError("http://h/?secret=s3cret") from exc
    except urllib3.exceptions.ProtocolError as exc:
        outer = requests.ConnectionError("http://h/?secret=s3cret")
        outer.__cause__ = exc
        return outer


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError(), AnswerTimeout, "no answer in time"),
        (ConnectionRefusedError(111, "Connection refused"), RequestFailed, "Connection refused"),
        (http.client.IncompleteRead(b"x"), RequestFailed, "the answer was cut off in the middle"),
        (http.client.BadStatusLine("odd"), RequestFailed, "odd"),
        (urllib3.exceptions.DecodeError("not gzip"), RequestFailed, "not gzip"),
        (ssl.SSLCertVerificationError(1, "self-signed"), BadCertificate, "self-signed"),
    ],
)
def test_words(error: Exception, kind: type[RequestFailed], words: str) -> None:
    """The class and the text come from the innermost error, however often it is wrapped."""
    for raised in (error, wrapped(error)):
        failure = request_failure(raised)
        assert type(failure) is kind
        assert str(failure) == words


def test_an_unknown_error() -> None:
    """An unknown error is described by its own text, not by the text of its wrapper."""
    assert str(request_failure(wrapped(ValueError("inner")))) == "inner"
