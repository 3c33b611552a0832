"""The bytes that a browser reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import BodyFraming, Dialect, Event, Frame
from tests.support.http.sse_parser import SSEEvent, SSEParser, parse

NAMED, ENVELOPE = Dialect.NAMED, Dialect.ENVELOPE

# The data and names of the recordings' send_events, those of divergences 3 and 6, and more.
NAMED_CASES = [
    (Event("version", '{"version":"1.2.3"}'), b'event: version\ndata: {"version":"1.2.3"}\n\n'),
    (Event(None, "hello"), b"data: hello\n\n"),
    (Event("", "x"), b"data: x\n\n"),
    (Event(None, ""), b"data: \n\n"),
    (Event("n", ""), b"event: n\ndata: \n\n"),
    (Event(None, "a\nb\nc"), b"data: a\ndata: b\ndata: c\n\n"),
    (Event(None, "a\n"), b"data: a\ndata: \n\n"),
    (Event(None, "\na"), b"data: \ndata: a\n\n"),
    (Event(None, "a\n\nb"), b"data: a\ndata: \ndata: b\n\n"),
    (Event(None, "a\r\nb"), b"data: a\ndata: b\n\n"),
    (Event(None, "a\rb"), b"data: a\ndata: b\n\n"),
    (Event(None, "a\r\rb"), b"data: a\ndata: \ndata: b\n\n"),
    (Event(None, "a\n\rb"), b"data: a\ndata: \ndata: b\n\n"),
    (Event(None, "a\r\n\r\nb"), b"data: a\ndata: \ndata: b\n\n"),
    (Event(None, "\r\n"), b"data: \ndata: \n\n"),
    (Event(None, " a"), b"data:  a\n\n"),
    (Event(None, ":x"), b"data: :x\n\n"),
    (Event(None, "data: x"), b"data: data: x\n\n"),
    (Event(None, "a\0b"), b"data: a\0b\n\n"),
    (Event("n", "1\n2"), b"event: n\ndata: 1\ndata: 2\n\n"),
    (Event("ready", "1"), b"event: ready\ndata: 1\n\n"),
    (Event("rejected", "1"), b"event: rejected\ndata: 1\n\n"),
    (Event('a"b', "1"), b'event: a"b\ndata: 1\n\n'),
    (Event("n", "plain text"), b"event: n\ndata: plain text\n\n"),
    (
        Event("\u00e9", '"\U0001f600 \u00fc"'),
        b'event: \xc3\xa9\ndata: "\xf0\x9f\x98\x80 \xc3\xbc"\n\n',
    ),
]

ENVELOPE_CASES = [
    (
        Event("version", '{"version":"1.2.3"}'),
        b'data: {"type":"version","payload":{"version":"1.2.3"}}\n\n',
    ),
    # Without a name: as in named.
    (Event(None, "a\r\nb"), b"data: a\ndata: b\n\n"),
    (Event("", ""), b"data: \n\n"),
    # JSON text goes out as given, white space and all; its line ends must not break the frame.
    (Event("n", ' {"a" : 1.0e3}'), b'data: {"type":"n","payload": {"a" : 1.0e3}}\n\n'),
    (Event("n", '{\n"a":1\r\n}'), b'data: {"type":"n","payload":{\ndata: "a":1\ndata: }}\n\n'),
    (Event("n", "null"), b'data: {"type":"n","payload":null}\n\n'),
    (Event("n", '"s"'), b'data: {"type":"n","payload":"s"}\n\n'),
    (Event("n", "-0"), b'data: {"type":"n","payload":-0}\n\n'),
    # Divergence 6: no data, and text that is no JSON.
    (Event("n", ""), b'data: {"type":"n","payload":null}\n\n'),
    (Event("n", " "), b'data: {"type":"n","payload":" "}\n\n'),
    (Event("n", "plain text"), b'data: {"type":"n","payload":"plain text"}\n\n'),
    (Event("n", "a\nb"), b'data: {"type":"n","payload":"a\\nb"}\n\n'),
    (Event("n", 'say "x"\\'), b'data: {"type":"n","payload":"say \\"x\\"\\\\"}\n\n'),
    (Event("n", "NaN"), b'data: {"type":"n","payload":"NaN"}\n\n'),
    (Event("n", "{'a':1}"), b'data: {"type":"n","payload":"{\'a\':1}"}\n\n'),
    (Event("n", "1}, {"), b'data: {"type":"n","payload":"1}, {"}\n\n'),
    (Event("n", "\udc00"), b'data: {"type":"n","payload":"\\udc00"}\n\n'),
    # Names are quoted.
    (Event('a"b\\', "1"), b'data: {"type":"a\\"b\\\\","payload":1}\n\n'),
    (Event("\t", "1"), b'data: {"type":"\\t","payload":1}\n\n'),
    (Event("\u00e9", "1"), b'data: {"type":"\xc3\xa9","payload":1}\n\n'),
    (Event("\ud800", "1"), b'data: {"type":"\\ud800","payload":1}\n\n'),
    # The two names that mean something to the dialect itself.
    (Event("ready", "1"), b"event: ready\ndata:\n\n"),
    (Event("rejected", "1"), b"event: rejected\ndata: 1\n\n"),
    (Event("rejected", "a\nb"), b"event: rejected\ndata: a\ndata: b\n\n"),
    (Event("Ready", "1"), b'data: {"type":"Ready","payload":1}\n\n'),
]

names = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
texts = st.text(
    st.sampled_from("\r\n:\u2028\u0085\v \ufeffaé😀") | st.characters(codec="utf-8"), max_size=30
)


@pytest.mark.parametrize(("event", "expected"), NAMED_CASES)
def test_named(event: Event, expected: bytes) -> None:
    """The named dialect writes an event line, then one data line for each line of data."""
    assert event_stream.encode(event, NAMED) == expected


@pytest.mark.parametrize(("event", "expected"), ENVELOPE_CASES)
def test_envelope(event: Event, expected: bytes) -> None:
    """The envelope dialect writes a named event as one JSON document."""
    assert event_stream.encode(event, ENVELOPE) == expected


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\x1d", "\x1e"])
def test_only_the_standards_line_ends_split_data(char: str) -> None:
    """Characters that end a line for str.splitlines(), but not for browsers, stay in their line."""
    assert event_stream.encode(Event(None, f"a{char}b"), NAMED) == f"data: a{char}b\n\n".encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ud800", b"\xef\xbf\xbd"),
        ("\udfffx", b"\xef\xbf\xbdx"),
        ("x\ud83d", b"x\xef\xbf\xbd"),
        ("\ud83d\ude00", b"\xf0\x9f\x98\x80"),
        ("\ude00\ud83d", b"\xef\xbf\xbd\xef\xbf\xbd"),
        ("\ufeff\ud800", b"\xef\xbb\xbf\xef\xbf\xbd"),
    ],
)
def test_surrogates(text: str, expected: bytes) -> None:
    """A surrogate without its pair becomes U+FFFD, a pair becomes its character."""
    assert event_stream.encode(Event(None, text), NAMED) == b"data: " + expected + b"\n\n"
    assert (
        event_stream.encode(Event("n" + text, ""), NAMED)
        == b"event: n" + expected + b"\ndata: \n\n"
    )


@given(name=names, data=texts)
def test_named_round_trip(name: str | None, data: str) -> None:
    """A strict parser reads the event as it was, wherever its bytes are cut."""
    encoded = event_stream.encode(Event(name, data), NAMED)
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    expected = [SSEEvent(name or "message", lines)]
    for cut in range(len(encoded) + 1):
        parser = SSEParser()
        parser.feed(encoded[:cut])
        parser.feed(encoded[cut:])
        parser.close()
        assert parser.events == expected


@given(name=st.text(st.characters(exclude_characters="\r\n\0")), data=st.text(st.characters()))
@pytest.mark.parametrize("dialect", Dialect)
def test_any_text_can_be_written(dialect: Dialect, name: str, data: str) -> None:
    """Any text of a JSON body, with any surrogates, makes one well-formed event."""
    (event,) = parse(event_stream.encode(Event(name, data), dialect))
    assert not set(event.type + event.data) & set(map(chr, range(0xD800, 0xE000)))


@given(events=st.lists(st.builds(Event, names, texts), max_size=5))
def test_events_stay_apart(events: list[Event]) -> None:
    """Events with heartbeats between them arrive one by one, in their order."""
    stream = b"".join(
        event_stream.encode(event, NAMED) + event_stream.HEARTBEAT.bare for event in events
    )
    parser = SSEParser()
    for byte in stream:
        parser.feed(bytes([byte]))
    parser.close()
    assert [event.type for event in parser.events] == [event.name or "message" for event in events]
    assert parser.comments == [" heartbeat"] * len(events)


@given(name=names.filter(lambda name: name not in ("ready", "rejected")), data=texts)
def test_envelope_is_always_json(name: str | None, data: str) -> None:
    """A named event is one JSON document with type and payload, whatever the name and data."""
    (event,) = parse(event_stream.encode(Event(name, data), ENVELOPE))
    assert event.type == "message"
    if name:
        document = json.loads(event.data)
        assert list(document) == ["type", "payload"]
        assert document["type"] == name


@given(payload=st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists))
def test_envelope_payload_is_the_json_given(payload: object) -> None:
    """Data that is JSON arrives as the same value, in whatever layout it was written."""
    for indent in (None, 1):
        (event,) = parse(
            event_stream.encode(Event("n", json.dumps(payload, indent=indent)), ENVELOPE)
        )
        assert json.loads(event.data) == {"type": "n", "payload": payload}


@pytest.mark.parametrize("levels", [980, 5000, 100_000])
def test_deep_json_is_pasted(levels: int) -> None:
    """JSON data stays JSON in the envelope, however deep it is nested."""
    data = "[" * levels + "]" * levels
    expected = f'data: {{"type":"n","payload":{data}}}\n\n'
    assert event_stream.encode(Event("n", data), ENVELOPE) == expected.encode()


@pytest.mark.parametrize("size", [1, 9, 15, 16, 255, 256, 65536])
def test_frame(size: int) -> None:
    """A frame has the bytes unchanged, and as one chunk with its size in hexadecimal."""
    payload = b"x" * size
    assert event_stream.frame(payload) == Frame(
        payload, f"{size:x}\r\n".encode() + payload + b"\r\n"
    )


@pytest.mark.parametrize(
    ("framing", "expected"), [(BodyFraming.CHUNKED, b"1\r\na\r\n"), (BodyFraming.BARE, b"a")]
)
def test_in_form(framing: BodyFraming, expected: bytes) -> None:
    """A frame has a form for each framing of a body."""
    assert event_stream.frame(b"a").in_form(framing) == expected


def test_empty_frame() -> None:
    """An empty frame stays empty: a chunk of length 0 would end the body."""
    assert event_stream.frame(b"") == Frame(b"", b"")


def test_constants() -> None:
    """The constant frames have these bytes."""
    assert event_stream.LAST_CHUNK == b"0\r\n\r\n"
    heartbeat = event_stream.HEARTBEAT
    assert heartbeat == Frame(b": heartbeat\n\n", b"d\r\n: heartbeat\n\n\r\n")
    ready = event_stream.READY
    assert ready == Frame(b"event: ready\ndata:\n\n", b"14\r\nevent: ready\ndata:\n\n\r\n")


@pytest.mark.parametrize(
    ("status", "message", "data"),
    [
        (401, "Unauthorized", '{"status":401,"message":"Unauthorized"}'),
        (400, "", '{"status":400,"message":""}'),
        (403, 'No "way"\r\n', '{"status":403,"message":"No \\"way\\"\\r\\n"}'),
    ],
)
def test_rejected(status: int, message: str, data: str) -> None:
    """The event of a refused stream holds the status and the reason phrase, quoted."""
    expected = f"event: rejected\ndata: {data}\n\n".encode()
    assert event_stream.rejected(status, message) == event_stream.frame(expected)


@pytest.mark.parametrize("dialect", Dialect)
def test_with_retry(dialect: Dialect) -> None:
    """The reconnection pause is a field of the event's own block, in either dialect."""
    event = event_stream.encode(Event("n", "1"), dialect)
    assert event_stream.with_retry(event, 1500) == b"retry: 1500\n" + event
    parser, alone = SSEParser(), SSEParser()
    assert parser.feed(event_stream.with_retry(event, 1500)) == alone.feed(event)
    assert (parser.retry, len(parser.events)) == (1500, 1)


@pytest.mark.parametrize("bytes_", [b"", event_stream.HEARTBEAT.bare])
def test_retry_never_stands_alone(bytes_: bytes) -> None:
    """A retry without an event is refused: strict clients fail at a block without data."""
    with pytest.raises(ValueError, match="needs an event"):
        event_stream.with_retry(bytes_, 1500)


@pytest.mark.parametrize("name", ["a\nevent: b", "a\rdata: c", "a\0", "\r\n"])
def test_a_name_cannot_forge_a_line(name: str) -> None:
    """An event with a name that could forge a line cannot be made."""
    with pytest.raises(ValueError, match="must not hold CR, LF or NUL"):
        Event(name, "x")
