"""The blocks of one stream."""

from __future__ import annotations

from app.bench.clients.event_blocks import EventBlocks

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
START = b"16\r\n: heartbeat\nid: ab-3\n\n\r\n"
EVENT = b"1a\r\nid: ab-4\nevent: x\ndata: 1\n\n\r\n"
VERSION = b"1b\r\nevent: version\ndata: {}\n\n\r\n"


def test_whole_stream() -> None:
    """Events with ids are counted, the last id is the cursor, and the version is noticed."""
    blocks = EventBlocks()
    blocks.feed(HEAD + START + EVENT + VERSION)
    assert (blocks.ids, blocks.cursor, blocks.has_version) == (1, "ab-4", True)


def test_every_split() -> None:
    """The result does not depend on how the bytes arrive."""
    whole = HEAD + START + EVENT + VERSION
    for cut in range(len(whole)):
        blocks = EventBlocks()
        blocks.feed(whole[:cut])
        blocks.feed(whole[cut:])
        assert (blocks.ids, blocks.cursor, blocks.has_version) == (1, "ab-4", True), cut


def test_a_torn_block_does_not_count() -> None:
    """The id of a block that has not ended is not the cursor yet."""
    blocks = EventBlocks()
    blocks.feed(START + EVENT[:-4])
    assert (blocks.ids, blocks.cursor) == (0, "ab-3")


def test_no_ids() -> None:
    """A stream without ids has no cursor."""
    blocks = EventBlocks()
    blocks.feed(HEAD + VERSION)
    assert (blocks.ids, blocks.cursor, blocks.has_version) == (0, None, True)
