"""Statements on the hot path: sent once for planning, then by name, with their values apart from their text.

Django's own cursors write the values into the text, which the server must then parse, 300 kB of it per batch.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
import psycopg
from django.db import connection

# In this order: what is in the texts first, then what stands between them.
COPY_ESCAPES = [
    ("\\", "\\\\"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("\t", "\\t"),
    ("\x01", "\t"),
    ("\x02", "\n"),
    ("\x03", "\\N"),
]


class PreparedCursor(psycopg.Cursor[tuple[Any, ...]]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> "PreparedCursor":
        super().execute(query, params, prepare=True if params else None)
        return self


def run_statement(
    sql: str, params: Sequence[datetime | int | str | None] | Mapping[str, str | None] | None = None
) -> list[tuple[Any, ...]]:
    """Run one statement and return the rows of its last result. Django's wrappers see it and translate its errors."""
    connection.ensure_connection()
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    own: Any = PreparedCursor(connection.connection)
    with connection.wrap_database_errors, wrap(own) as cursor:
        cursor.execute(sql, params)
        while cursor.nextset():
            pass
        return list(cursor.fetchall()) if cursor.description else []


def copy_rows(statement: LiteralString, columns: Sequence[Sequence[str | None]]) -> None:
    """Write rows, given by columns, with one COPY … FROM STDIN. No text may hold the characters U+0001 to U+0003.

    Escaping is done over all of them at once, which is what makes this cheap.
    """
    filled = [["\x03" if text is None else text for text in column] if None in column else column for column in columns]
    text = "\x02".join(map("\x01".join, zip(*filled, strict=True)))
    for character, escaped in COPY_ESCAPES:
        text = text.replace(character, escaped)
    connection.ensure_connection()
    own: Any = PreparedCursor(connection.connection)
    began = time.monotonic()
    with connection.wrap_database_errors, own, own.copy(statement) as copy:
        copy.write(text + "\n")
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": f"{time.monotonic() - began:.3f}"})


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


def time_texts(values: Sequence[datetime]) -> list[str]:
    """ISO 8601, of UTC times."""
    return encode_json(values).decode()[2:-2].split('","') if values else []


encode_json = msgspec.json.Encoder().encode
