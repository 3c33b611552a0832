"""Tests of the redaction: texts that must not appear in a log."""

from __future__ import annotations

import enum
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from gateway_shim.log_lines.redaction import MAX_CHARACTERS, MAX_ITEMS, Redactor, escape


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain ünïcode 漢字 👩‍💻 \\ \"'", "plain ünïcode 漢字 👩‍💻 \\ \"'"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x00\x1b[31m\x7f\x85", "\\u0000\\u001b[31m\\u007f\\u0085"),
        ("\u2028\u2029\u202e\u2066", "\\u2028\\u2029\\u202e\\u2066"),
        ("\ud800", "\\ud800"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    """Control characters become escapes; printable characters of all scripts stay."""
    assert escape(text) == escaped


@given(st.text(st.characters()))
def test_escaped_text_is_one_encodable_line(text: str) -> None:
    """Any escaped text is one line that can be encoded."""
    shown = escape(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.text(st.characters()))
def test_escapes_keep_json_valid(text: str) -> None:
    """An escaped JSON document still contains the same text."""
    assert json.loads(escape(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("POST /api/sse/callback?secret=hunter2 200", "POST /api/sse/callback?secret=*** 200"),
        ("/cb?a=1&secret=x,y'z(%20)&b=2", "/cb?a=1&secret=***&b=2"),
        ("/s?token=ey.J&request_id=me", "/s?token=***&request_id=me"),
        ("/s?a=1&Access_Token=x&jwt=y", "/s?a=1&Access_Token=***&jwt=***"),
        ("stream opened token=t1 url=/s?a", "stream opened token=t1 url=/s?a"),
        ("SSE_CALLBACK_SECRET=abc#d", "SSE_CALLBACK_SECRET=***#d"),
        ('secret="a b" c', "secret=*** c"),
        ('{"url":"/x?secret=abc"}', '{"url":"/x?secret=***"}'),
        ("Authorization: Basic dXNlcg==\r\nHost: x", "Authorization: ***\r\nHost: x"),
        ("cookie: a=b; c=d", "cookie: ***"),
        ("Set-Cookie=sid=1", "Set-Cookie=***"),
        ("{'Cookie': 'a=b', 'Host': 'x'}", "{'Cookie': ***, 'Host': 'x'}"),
        ('{\\"authorization\\": \\"Basic x\\"}', '{\\"authorization\\": ***'),
        ("(b'Authorization', b'Basic x')", "(b'Authorization', ***)"),
        ("x-sse-secret: abc", "x-sse-secret: ***"),
        ("with Bearer eyJhbGciOi.J9", "with Bearer ***"),
        ("the bearer of news", "the bearer of news"),
        ("no cookies were harmed", "no cookies were harmed"),
        ("GET https://me:pw@host/x?q=a@b", "GET https://***@host/x?q=a@b"),
        ("http://host/a@b", "http://host/a@b"),
    ],
)
def test_masks_credentials_by_their_form(text: str, masked: str) -> None:
    """Secrets in query strings, headers and URLs are masked; the rest stays readable."""
    assert Redactor().text(text) == masked


ID = "2f1c9a34-7d1e-4b7e-9e52-3a1b5c6d7e8f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"/api/sse/stream?request_id={ID}", "/api/sse/stream?request_id=2f1c9a34…"),
        (f"/s?a=1&request_id={ID}&b=2#c", "/s?a=1&request_id=2f1c9a34…&b=2#c"),
        (f'"GET /s?request_id={ID} HTTP/1.1" 200', '"GET /s?request_id=2f1c9a34… HTTP/1.1" 200'),
        (f'{{"url":"/s?request_id={ID}"}}', '{"url":"/s?request_id=2f1c9a34…"}'),
        ("/s?request_id=123456789abcdef", "/s?request_id=123456789abcdef"),
        ("/s?request_id=123456789abcdefg", "/s?request_id=12345678…"),
        ("/s?request_id=%C3%A9t%C3%A9t%C3%A9", "/s?request_id=%C3%A9t%…"),
        ("/s?my_request_id=123456789abcdefg", "/s?my_request_id=123456789abcdefg"),
    ],
)
def test_request_ids_in_urls_are_shortened(text: str, shown: str) -> None:
    """A URL in a log shows the first characters of its request id."""
    assert Redactor().text(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (ID, "2f1c9a34…"),
        ("123456789abcdef", "123456789abcdef"),
        ("123456789abcdefg", "12345678…"),
        (5, 5),
        (None, None),
    ],
)
def test_a_field_that_is_a_request_id_is_shortened(value: object, shown: object) -> None:
    """A field named request_id is shortened, even inside of another field."""
    assert Redactor().field("request_id", value) == shown
    assert Redactor().field("body", {"request_id": value, "x": ID}) == {
        "request_id": shown,
        "x": ID,
    }


def test_masks_known_secrets_wherever_they_are() -> None:
    """A configured secret is masked in any context, percent-encoded or not."""
    redactor = Redactor(["p/s w", ""])
    assert redactor.text("a p/s w, p%2Fs%20w, p/s%20w, p%2Fs+w b") == "a ***, ***, ***, *** b"


class Color(enum.StrEnum):
    """An enum whose members are strings."""

    RED = "red"


class NotShown:
    """An object without a text."""

    def __str__(self) -> str:
        """Raise an error."""
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ("a\nb", "a\nb"),
        (Color.RED, "red"),
        (SecretStr("x"), "***"),
        (SecretBytes(b"x"), "***"),
        ({"url": "/?secret=x", 5: SecretStr("x")}, {"url": "/?secret=***", "5": "***"}),
        ({"headers": {"Cookie": "a=b", "host": "h"}}, {"headers": {"Cookie": "***", "host": "h"}}),
        ([1, ("a", frozenset({2}))], [1, ["a", [2]]]),
        ([[[[[1]]]]], [[[["[1]"]]]]),
        (ValueError("secret=x"), "secret=***"),
        (NotShown(), "<NotShown that cannot be shown: ZeroDivisionError>"),
    ],
)
def test_a_field_becomes_plain_data(value: object, plain: object) -> None:
    """Any field becomes plain data for JSON without secrets."""
    field = Redactor().field("name", value)
    assert field == plain
    assert type(field) is type(plain)
    json.dumps(field, allow_nan=False)


@pytest.mark.parametrize("name", ["secret", "sse_callback_secret", "Authorization", "password"])
def test_a_field_named_after_a_secret_is_masked(name: str) -> None:
    """A field that is named after a secret is masked, whatever its value is."""
    assert Redactor().field(name, ["x"]) == "***"


@pytest.mark.parametrize(
    ("before", "secret"),
    [
        ("it is ", "hunter2hunter2"),
        ("it is ", "p/s w hunter2"),
        ("?secret=", "hunter2"),
        ('secret="', "hunter2 hunter2"),
        ('secret="', "hunter2\\\\hunter2"),
        ("Authorization: ", "Basic hunter2"),
        ("{'Cookie': 'a=", "hunter2 hunter2'"),
        ("https://me:", "hunter2@host"),
    ],
)
def test_a_cut_through_a_secret_shows_no_part_of_it(before: str, secret: str) -> None:
    """A text that is cut inside of a secret shows no part of the secret."""
    redactor = Redactor(["hunter2hunter2", "p/s w hunter2"])
    for kept in range(len(secret) + 1):
        whole = before + secret + "." * 1000
        shown = redactor.text(whole, len(before) + kept)
        assert "hun" not in shown
        assert shown.endswith(f"… ({len(whole)} characters)")


def test_a_long_text_is_cut() -> None:
    """A long text shows its beginning and its length, in a field of any shape."""
    whole = "x" * (MAX_CHARACTERS + 1)
    assert Redactor().text(whole) == "x" * MAX_CHARACTERS + "… (32769 characters)"
    assert Redactor().text(whole[1:]) == whole[1:]
    shown = Redactor().field("f", [whole, "short", {"a": whole}])
    assert len(json.dumps(shown)) < MAX_CHARACTERS + 200


def test_a_large_collection_is_cut() -> None:
    """All collections in a field share one limit."""
    shown = Redactor().field("f", range(1))
    assert shown == "range(0, 1)"
    shown = Redactor().field("f", list(range(5000)))
    assert shown == [*range(MAX_ITEMS), "…"]
    shown = Redactor().field("f", {n: [n] * 9 for n in range(5000)})
    assert len(shown) == MAX_ITEMS // 10 + 1
    assert list(shown)[-1] == "…"


def test_an_object_without_a_text() -> None:
    """The neighbors of an object without a text are shown."""
    field = Redactor().field("f", {"a": 1, "b": [Mute(), 2], "c": 3})
    assert field == {"a": 1, "b": ["<Mute that cannot be shown: LookupError>", 2], "c": 3}


class Mute:
    """An object whose attributes all raise an error."""

    def __getattribute__(self, name: str) -> object:
        """Raise an error."""
        raise LookupError
