"""What somebody else sees: a connection of its own, outside every transaction of the test."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


def ask_outside(query: str, *values: object) -> list[tuple[Any, ...]]:
    side = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with side.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())
    finally:
        side.close()
