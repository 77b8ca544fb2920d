"""Events as the rows that COPY … (FORMAT binary) reads: no text to be escaped here and parsed again there.

Each row is the number of its columns, then each column after its length; -1 for null. What many rows share is encoded
once. https://www.postgresql.org/docs/current/sql-copy.html
"""

import struct
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache

from metering.events import CheckedEvent, find_instant
from metering.statements import POSTGRES_EPOCH

COLUMNS = struct.pack(">h", 9)
NULL = struct.pack(">i", -1)
JSONB = 1  # the version of jsonb's own format, before its text

pack_number = struct.Struct(">iq").pack
pack_time_and_length = struct.Struct(">iqi").pack
pack_jsonb = struct.Struct(">ib").pack


def encode_rows(
    events: Collection[CheckedEvent],
    *,
    accounts: Mapping[str, int | None],
    senders: Mapping[bytes, int | None],
    received_at: datetime,
) -> bytes:
    """In this order: received_at, api_key_id, account_id, subject, type, source, happened_at, event_id, data.

    `accounts` is by subject, `senders` are the ids of API keys by claim.
    """
    received = COLUMNS + pack_number(8, find_instant(received_at) - POSTGRES_EPOCH)
    begins = {sender: received + encode_number(sender) for sender in set(senders.values())}
    names = {subject: encode_number(account_id) + encode_text(subject) for subject, account_id in accounts.items()}
    parts: list[bytes] = []
    for event in events:
        name, data = event.id.encode(), event.data
        parts += (
            begins[senders[event.claim]],
            names[event.subject],
            encode_shared(event.type),
            encode_shared(event.source),
            pack_time_and_length(8, event.instant - POSTGRES_EPOCH, len(name)),
            name,
            pack_jsonb(len(data) + 1, JSONB),
            data,
        )
    return b"".join(parts)


def encode_number(value: int | None) -> bytes:
    return NULL if value is None else pack_number(8, value)


def encode_text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">i", len(encoded)) + encoded


encode_shared = lru_cache(maxsize=1_000)(encode_text)
