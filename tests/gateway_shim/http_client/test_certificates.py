"""Tests of the authorities that an environment makes clients trust."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
import trustme

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.http_client.certificates import VARIABLES, client_context


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write the certificate of a private authority, in PEM format."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def trusted(context: ssl.SSLContext) -> int:
    """Return the number of authorities that a context has loaded from files."""
    return context.cert_store_stats()["x509_ca"]


PUBLIC = trusted(client_context({}))
"""Without any variable: certifi's list."""


def test_every_certificate_is_checked() -> None:
    """Certificates and their names are checked, whatever Node's own switch says."""
    context = client_context({"NODE_TLS_REJECT_UNAUTHORIZED": "0"})
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert PUBLIC > 50
    expected = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    expected.load_verify_locations(certifi.where())
    assert trusted(expected) == PUBLIC


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        (("NODE_EXTRA_CA_CERTS",), PUBLIC + 1),
        (("SSL_CERT_FILE",), 1),
        (("REQUESTS_CA_BUNDLE",), 1),
        (("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), 1),
        (("CURL_CA_BUNDLE",), PUBLIC),
    ],
)
def test_files(variables: tuple[str, ...], count: int, file: Path) -> None:
    """Two variables replace the public authorities, one adds to them, others do not count."""
    assert trusted(client_context(dict.fromkeys(variables, str(file)))) == count


def test_extra_authorities_are_added_to_any(file: Path, tmp_path: Path) -> None:
    """Extra authorities are added even if the public ones were replaced."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    environ = {"SSL_CERT_FILE": str(file), "NODE_EXTRA_CA_CERTS": str(other)}
    assert trusted(client_context(environ)) == 2


def test_authorities_that_are_trusted_already(file: Path) -> None:
    """The system's usual file may be added, although it adds no authority."""
    environ = {"SSL_CERT_FILE": str(file), "NODE_EXTRA_CA_CERTS": str(file)}
    assert trusted(client_context(environ)) == 1
    assert trusted(client_context({"NODE_EXTRA_CA_CERTS": certifi.where()})) == PUBLIC


def test_requests_bundle_wins(file: Path, tmp_path: Path) -> None:
    """With REQUESTS_CA_BUNDLE, the file of SSL_CERT_FILE is not read."""
    environ = {"REQUESTS_CA_BUNDLE": str(file), "SSL_CERT_FILE": "/no/such"}
    assert trusted(client_context(environ)) == 1


def test_folders(file: Path, tmp_path: Path) -> None:
    """A folder's files are read when a certificate is checked; they replace the public ones."""
    for environ in (
        {"SSL_CERT_DIR": f"{tmp_path}:{tmp_path}"},
        {"REQUESTS_CA_BUNDLE": str(tmp_path)},
    ):
        assert trusted(client_context(environ)) == 0


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable(variable: str) -> None:
    """An empty variable counts as not set."""
    assert trusted(client_context({variable: ""})) == PUBLIC


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_missing_file(variable: str) -> None:
    """The error about a missing file names the variable and the path, and says what to do."""
    with pytest.raises(InvalidConfiguration, match=rf"^{variable} names '/no/such'.*or unset"):
        client_context({variable: "/no/such"})


@pytest.mark.parametrize("content", [b"", b"nonsense"])
@pytest.mark.parametrize("variable", ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_file_without_certificates(variable: str, content: bytes, tmp_path: Path) -> None:
    """A file without certificates is an error; it does not mean to trust no authority."""
    path = tmp_path / "empty.pem"
    path.write_bytes(content)
    with pytest.raises(InvalidConfiguration, match="it contains no certificate"):
        client_context({variable: str(path)})


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN CERTIFICATE-----\nAA\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN X-----\nAA\n-----END X-----\n",
    ],
    ids=["cut", "broken", "something else"],
)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "behind another"])
def test_a_broken_file(content: bytes, alone: bool, file: Path) -> None:
    """The error about a broken file does not say that the file has no certificate."""
    if not alone:
        content = file.read_bytes() + content
    file.write_bytes(content)
    with pytest.raises(InvalidConfiguration, match="a part of it is broken, or not a certificate"):
        client_context({"NODE_EXTRA_CA_CERTS": str(file)})


def test_a_folder_where_a_file_is_needed(tmp_path: Path) -> None:
    """A folder in place of a file is an error in the words of the operating system."""
    with pytest.raises(InvalidConfiguration, match=r"NODE_EXTRA_CA_CERTS .*cannot be used"):
        client_context({"NODE_EXTRA_CA_CERTS": str(tmp_path)})


def test_default_context_is_made_once() -> None:
    """The default context is made once, at the first call and not at import."""
    code = (
        "import os, gateway_shim.http_client.certificates as c\n"
        "os.environ['SSL_CERT_FILE'] = '/no/such'\n"
        "try: c.default_context()\n"
        "except c.InvalidConfiguration: del os.environ['SSL_CERT_FILE']\n"
        "assert c.default_context() is c.default_context()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
