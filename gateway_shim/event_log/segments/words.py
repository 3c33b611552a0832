"""Positions as words of eight bytes with a checksum, and the checksums' beginnings. Pure."""

from __future__ import annotations

from binascii import crc_hqx

from gateway_shim.errors import LogDamaged

__all__ = ["seal", "seed_of", "unseal"]


def seal(position: int, seed: int) -> int:
    """Return a word of eight bytes that holds a position and its checksum.

    Args:
        position: the position, at most 48 bits.
        seed: a number that depends on the epoch and on the meaning of the word.
    """
    return position << 16 | crc_hqx(position.to_bytes(6, "little"), seed)


def unseal(word: int, seed: int) -> int:
    """Return the position in a word.

    Raises:
        LogDamaged: the checksum is wrong.
    """
    position = word >> 16
    if word & 0xFFFF != crc_hqx(position.to_bytes(6, "little"), seed):
        raise LogDamaged("the file head is damaged")
    return position


def seed_of(epoch: str, meaning: int = 0) -> int:
    """Return the number with which checksums of an epoch begin.

    Args:
        epoch: the name of the epoch.
        meaning: a number below 65536 that is different for each word of ``head``.
    """
    return crc_hqx(epoch.encode(), 0xACE1) ^ meaning
