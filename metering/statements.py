"""Statements on the hot path: sent once for planning, then by name, with their values apart from their text.

Django's own cursors write the values into the text, which the server must then parse, 300 kB of it per batch.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from django.db import connection


class PreparedCursor(psycopg.Cursor[tuple[Any, ...]]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> "PreparedCursor":
        super().execute(query, params, prepare=True if params else None)
        return self


def run_statement(sql: str, params: Sequence[datetime | int | str | None] | None = None) -> list[tuple[Any, ...]]:
    """Run one statement and return the rows of its last result. Django's wrappers see it and translate its errors."""
    connection.ensure_connection()
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    own: Any = PreparedCursor(connection.connection)
    with connection.wrap_database_errors, wrap(own) as cursor:
        cursor.execute(sql, params)
        while cursor.nextset():
            pass
        return list(cursor.fetchall()) if cursor.description else []


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
