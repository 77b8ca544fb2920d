"""Statements on the hot path: sent once for planning, then by name, with their values apart from their text.

Django's own cursors write the values into the text, which the server must then parse, 300 kB of it per batch. That a
statement is prepared needs a `prepare_threshold` on the connection too (`config.settings.base.use_database`).
"""

import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
import psycopg
from django.db import connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
COPY_TRAILER = b"\xff\xff"
ARRAY_HEADER = struct.Struct(">5i").pack  # dimensions, has nulls, type of elements, their number, index of the first
BIGINT, BIGINTS, TIMESTAMPTZ, UUID = 20, 1016, 1184, 2950  # types, by their fixed number in PostgreSQL
POSTGRES_EPOCH = 946_684_800_000_000  # 2000-01-01, in microseconds since 1970: where timestamptz begins to count


class Array(msgspec.Struct, frozen=True):
    """An array as PostgreSQL sends it itself (`array_recv`), which it reads in a fraction of the time of its text."""

    data: bytes


class BigintArray(Array, frozen=True):
    """One that may be cast to another type, which the server can do when it is told what it is."""


class ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj.data


class BigintArrayDumper(ArrayDumper):
    oid = BIGINTS


class PreparedCursor(psycopg.Cursor[tuple[Any, ...]]):
    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        super().__init__(connection)
        self.adapters.register_dumper(Array, ArrayDumper)
        self.adapters.register_dumper(BigintArray, BigintArrayDumper)

    def execute(self, query: Any, params: Any = None, **options: Any) -> "PreparedCursor":
        super().execute(query, params, prepare=True if params else None)
        return self


def run_statement(
    sql: str, params: Sequence[datetime | int | str | Array | None] | Mapping[str, str | None] | None = None
) -> list[tuple[Any, ...]]:
    """Run one statement and return the rows of its last result. Django's wrappers see it and translate its errors."""
    connection.ensure_connection()
    own: Any = PreparedCursor(connection.connection)
    with log_statement(sql), connection.wrap_database_errors, connection.make_cursor(own) as wrapped:
        cursor: Any = wrapped  # its types know no arrays of ours
        cursor.execute(sql, params)
        while cursor.nextset():
            pass
        return list(cursor.fetchall()) if cursor.description else []


def copy_rows(statement: LiteralString, rows: bytes) -> None:
    """Write rows with one COPY … FROM STDIN (FORMAT binary); `rows` is without its header and its end."""
    connection.ensure_connection()
    own: Any = PreparedCursor(connection.connection)
    with log_statement(statement), connection.wrap_database_errors, own, own.copy(statement) as copy:
        copy.write(b"".join([COPY_HEADER, rows, COPY_TRAILER]))


@contextmanager
def log_statement(sql: str) -> Iterator[None]:
    """As Django's debug cursor does, which asks the driver for a text that it does not keep of prepared statements."""
    began = time.monotonic()
    try:
        yield
    finally:
        if connection.queries_logged:
            connection.queries_log.append({"sql": sql, "time": f"{time.monotonic() - began:.3f}"})


def bigint_array(values: Sequence[int]) -> BigintArray:
    """Raises struct.error for numbers that do not fit."""
    return BigintArray(encode_bigints(values, BIGINT))


def instant_array(values: Sequence[int]) -> Array:
    """A timestamptz[] of microseconds since 1970."""
    return Array(encode_bigints([value - POSTGRES_EPOCH for value in values], TIMESTAMPTZ))


def number_array(values: Sequence[int | Decimal]) -> Array | str:
    """For a numeric[]: as bigint[] where all are whole and fit, which they nearly always do."""
    try:
        return bigint_array(values)  # type: ignore[arg-type]  # what is no int is no bigint either
    except struct.error:
        return plain_array(values)


def bytes_array(element_type: int, values: Sequence[bytes]) -> Array:
    """An array of a type whose elements are sent as bytes, all of one length."""
    if not values:
        return Array(head_array(element_type, 0))
    width = struct.pack(">i", len(values[0]))
    return Array(head_array(element_type, len(values)) + width + width.join(values))


def encode_bigints(values: Sequence[int], element_type: int) -> bytes:
    count = len(values)
    cells: list[int] = [8] * (2 * count)  # each after its length
    cells[1::2] = values
    return head_array(element_type, count) + struct.pack(">" + "iq" * count, *cells)


def head_array(element_type: int, count: int) -> bytes:
    return ARRAY_HEADER(1, 0, element_type, count, 1) if count else struct.pack(">3i", 0, 0, element_type)


def text_array(values: Sequence[str]) -> str:
    """A PostgreSQL array in text, a few times faster than the driver's. No value may hold the character U+0001."""
    if not values:
        return "{}"
    joined = "\x01".join(values).replace("\\", "\\\\").replace('"', '\\"').replace("\x01", '","')
    return '{"' + joined + '"}'


def plain_array(values: Sequence[object]) -> str:
    """The same for values that never need quotes: numbers, dates, hexadecimal; None stands for NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def time_array(values: Sequence[datetime | None]) -> str:
    """The same for times. JSON's text of a list of them is PostgreSQL's, but for the brackets."""
    return "{" + encode_json(values).decode()[1:-1] + "}"


encode_json = msgspec.json.Encoder().encode
