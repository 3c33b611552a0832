"""The layout of the log's files: their heads and records as bytes. Pure.

All numbers are little-endian, except the words of ``head`` (words.py): these are in the byte order
of the machine, so that one store writes them.
"""

from __future__ import annotations

import hashlib
import re
import struct
from binascii import crc32
from typing import NamedTuple

from gateway_shim.errors import LogDamaged, LogUnavailable

__all__ = [
    "HEAD_BYTES",
    "OTHER_FORM",
    "RECORD_BYTES",
    "SEGMENT_HEAD_BYTES",
    "WORDS_AT",
    "Identity",
    "Record",
    "RecordKind",
    "SegmentHead",
    "check_version",
    "head_size_is_ours",
    "is_segment_name",
    "pack_identity",
    "pack_record",
    "pack_segment_head",
    "segment_name",
    "unpack_identity",
    "unpack_record",
    "unpack_segment_head",
]

VERSION = 1
"""The version of the layout. A change of anything in this module needs the next number."""

OTHER_FORM = "the form of the events has changed"
"""The reason why a log with another signature is not continued."""

HEAD_BYTES = 4096
"""The size of ``head``."""
WORDS_AT = 512
"""The offset of the words in ``head`` that change while the log is in use."""
SEGMENT_HEAD_BYTES = 64
"""The size of a segment's head. The frames follow it."""

_MAGIC = b"SSE-LOG\n"
# Magic, version, and the checksum of both. Every version of the layout keeps these 16 bytes.
_START = struct.Struct("<8sII")
_IDENTITY = struct.Struct("<16s32s36s")

_SEGMENT_MAGIC = b"SSE-SEG\n"
_SEGMENT = struct.Struct("<8s16sQdQ")  # magic, epoch, first position, began, size of the file

# A record without its checksum: position, offset, length, length of the audience, kind. The
# position is part of the checksum only.
_SIGNED = struct.Struct("<QQIII")
_RECORD = struct.Struct("<QIIII")
RECORD_BYTES = _RECORD.size
"""The size of a record. The text of its audience lies before it."""

_CRC = struct.Struct("<I")
_SEGMENT_NAME = re.compile(r"[a-z0-9]{1,16}-[0-9]{20}\.segment", re.ASCII)


class RecordKind:
    """The kinds of records."""

    BEGIN = 1
    """The begin entry of an epoch, which has no bytes."""
    EVERYONE = 2
    """An event for everyone."""
    ADDRESSED = 3
    """An event for the audience whose text lies before the record."""
    END = 4
    """The end of the segment: the entry of this position is the first one of the next segment."""


class Identity(NamedTuple):
    """The origin of an epoch's entries: its name, and what they depend on.

    Args:
        epoch: the name of the epoch.
        signature: the text that names what the entries depend on.
        boot_id: the machine's boot; empty if unknown.
    """

    epoch: str
    signature: str
    boot_id: str


class SegmentHead(NamedTuple):
    """The head of a segment.

    Args:
        epoch: the name of the epoch.
        first: the position of its first entry.
        began: when the segment was begun, seconds.
        size: the size of the file, bytes.
    """

    epoch: str
    first: int
    began: float
    size: int


class Record(NamedTuple):
    """The record of an entry.

    Args:
        kind: one of :class:`RecordKind`.
        audience: the bytes of the audience's text.
        length: the number of the frame's bytes.
    """

    kind: int
    audience: bytes
    length: int


def segment_name(epoch: str, first: int) -> str:
    """Return the name of a segment's file."""
    return f"{epoch}-{first:020d}.segment"


def is_segment_name(name: str) -> bool:
    """Return True for the name of a segment's file."""
    return _SEGMENT_NAME.fullmatch(name) is not None


# ------------------------------------------------------------------------- the head


def pack_identity(identity: Identity) -> bytes:
    """Return the first bytes of ``head``."""
    start = _START.pack(_MAGIC, VERSION, crc32(_MAGIC + _CRC.pack(VERSION)))
    body = _IDENTITY.pack(
        identity.epoch.encode(), _digest(identity.signature), identity.boot_id.encode()
    )
    return start + body + _CRC.pack(crc32(body))


def unpack_identity(data: bytes, wanted: Identity) -> str:
    """Return the name of the epoch of a ``head``.

    Args:
        data: the bytes of the file.
        wanted: the signature and the boot that the log must have. Its epoch is not used.

    Raises:
        LogDamaged: the file is damaged, or its log cannot be continued.
        LogUnavailable: a newer version of the program has written the file.
    """
    check_version(data)
    if len(data) != HEAD_BYTES:
        raise LogDamaged("the file head is damaged")
    body = data[_START.size : _START.size + _IDENTITY.size]
    if _CRC.unpack_from(data, _START.size + _IDENTITY.size)[0] != crc32(body):
        raise LogDamaged("the file head is damaged")
    epoch, digest, boot_id = _IDENTITY.unpack(body)
    if digest != _digest(wanted.signature):
        raise LogDamaged(OTHER_FORM)
    boots = boot_id.rstrip(b"\0").decode(), wanted.boot_id
    if all(boots) and boots[0] != boots[1]:
        raise LogDamaged("the machine was started again")
    return str(epoch.rstrip(b"\0").decode())


def check_version(data: bytes) -> None:
    """Check that a ``head`` has this version of the layout.

    Raises:
        LogDamaged: the file is damaged, or an older version of the program has written it.
        LogUnavailable: a newer version of the program has written it.
    """
    version = _version(data)
    if version is None:
        raise LogDamaged("the file head is damaged")
    if version > VERSION:
        raise LogUnavailable(
            f"a newer version of this program has written the log (layout {version}; this program"
            f" knows {VERSION}). Start the newer version, or remove the log's directory"
        )
    if version < VERSION:
        raise LogDamaged("an older version of this program has written the log")


def head_size_is_ours(data: bytes) -> bool:
    """Return True if a file that is named ``head`` can be one of a log, even a damaged one."""
    return not data or len(data) == HEAD_BYTES or data.startswith(_MAGIC)


def _version(data: bytes) -> int | None:
    """Return the version of a ``head``; None if it is damaged."""
    if len(data) < _START.size:
        return None
    magic, version, crc = _START.unpack_from(data)
    return version if magic == _MAGIC and crc == crc32(data[:12]) else None


def _digest(signature: str) -> bytes:
    return hashlib.sha256(signature.encode()).digest()


# ------------------------------------------------------------------------- segments


def pack_segment_head(head: SegmentHead) -> bytes:
    """Return the first bytes of a segment."""
    body = _SEGMENT.pack(_SEGMENT_MAGIC, head.epoch.encode(), head.first, head.began, head.size)
    return body + _CRC.pack(crc32(body))


def unpack_segment_head(data: bytes) -> SegmentHead:
    """Read the first bytes of a segment.

    Raises:
        LogDamaged: the bytes are damaged.
    """
    if len(data) < SEGMENT_HEAD_BYTES:
        raise LogDamaged("a segment is damaged")
    body = data[: _SEGMENT.size]
    magic, epoch, first, began, size = _SEGMENT.unpack(body)
    if magic != _SEGMENT_MAGIC or _CRC.unpack_from(data, _SEGMENT.size)[0] != crc32(body):
        raise LogDamaged("a segment is damaged")
    return SegmentHead(epoch.rstrip(b"\0").decode(), first, began, size)


def pack_record(
    seed: int, position: int, offset: int, kind: int, audience: bytes, frame: bytes
) -> bytes:
    """Return an entry's record, with the text of the audience before it.

    Args:
        seed: the number of the epoch.
        position: the entry's position.
        offset: where the frame begins, counted from the segment's first frame.
        kind: one of :class:`RecordKind`.
        audience: the bytes of the audience's text, for ADDRESSED; else empty.
        frame: the frame.
    """
    signed = _SIGNED.pack(position, offset, len(frame), len(audience), kind)
    crc = crc32(frame, crc32(audience, crc32(signed, seed)))
    return audience + signed[8:] + _CRC.pack(crc)


def unpack_record(memory: memoryview, end: int, seed: int, position: int, offset: int) -> Record:
    """Read and check the record of an entry.

    Args:
        memory: the segment's whole memory.
        end: where the record ends.
        seed: the number of the epoch.
        position: the position that the entry must have.
        offset: where its frame must begin.

    Raises:
        LogDamaged: the record, the audience or the frame is not what was written.
    """
    at = end - RECORD_BYTES
    start = SEGMENT_HEAD_BYTES + offset
    if at >= start:
        found, length, audience_length, kind, crc = _RECORD.unpack_from(memory, at)
        if found == offset and start + length + audience_length <= at:
            audience = bytes(memory[at - audience_length : at])
            signed = _SIGNED.pack(position, offset, length, audience_length, kind)
            sum_ = crc32(memory[start : start + length], crc32(audience, crc32(signed, seed)))
            if sum_ == crc:
                return Record(kind, audience, length)
    raise LogDamaged("a segment is damaged")
