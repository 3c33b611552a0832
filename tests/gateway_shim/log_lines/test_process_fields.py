"""Tests of the fields that every log line of a process has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_shim.log_lines.process_fields import process_fields, set_process_fields
from tests.gateway_shim.log_lines.records import FORMATTERS, record


@pytest.fixture(autouse=True)
def _no_fields() -> Iterator[None]:
    """Remove the fields at the end of a test."""
    yield
    set_process_fields()


def test_both_formats_show_them_last() -> None:
    """The fields of the process follow those of the record."""
    set_process_fields(worker=2)
    text, as_json = (formatter.format(record(request_id="me")) for formatter in FORMATTERS)
    assert text.endswith("  request_id=me worker=2")
    assert as_json.endswith(', "request_id": "me", "worker": 2}')


def test_a_record_keeps_its_own() -> None:
    """A record that has a field of that name keeps it."""
    set_process_fields(worker=2)
    assert FORMATTERS[0].format(record(worker="mine")).endswith("  worker=mine")


def test_a_second_call_replaces_the_first() -> None:
    """Without arguments, no fields are left."""
    set_process_fields(worker=2)
    set_process_fields()
    assert process_fields() == {}
    assert FORMATTERS[0].format(record()).endswith(": hello")
