"""The digest of a set of events: the sum of their seals, whatever their order. No database here.

An event's seal is the SHA-256 of its content, read as a number; a set's digest is the sum of its events' seals modulo
2^256 (Bellare and Micciancio 1997, AdHash; Clarke et al. 2003, MSet-Add-Hash). Sums add up over hours, dimensions and
windows, and what one event added can be told from its content alone. `docs/decisions/0011-…` says what that is sound
against.
"""

from datetime import datetime
from hashlib import sha256

import msgspec

MODULUS = 2**256


def write_content(
    source: str, event_id: str, happened_at: datetime, type_: str, subject: str, canonical: bytes
) -> bytes:
    """What is sealed: the JSON text `[source, id, time, type, subject, data]`, which no two events share.

    `happened_at` is UTC; `canonical` is the data with its keys in order, as `metering.events.encode_canonical` has it.
    """
    names: bytes = encode((source, event_id, happened_at, type_, subject))
    return b"%b,%b]" % (names[:-1], canonical)


def seal_content(content: bytes) -> int:
    return int.from_bytes(sha256(content).digest(), "big")


def reduce_digest(seals: int) -> int:
    """The digest that a sum of seals stands for."""
    return seals % MODULUS


encode = msgspec.json.Encoder().encode
