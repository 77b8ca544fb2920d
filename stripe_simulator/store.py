"""The state: objects by kind and id, in memory, and in SQLite if a path is given.

All happens in a unit of work (one request, one due job, one control call). What a unit touched is compared at its end:
what changed is written, and a unit that fails leaves nothing behind. Objects are JSON and changed in place; keys that
begin with `_` are the simulator's own and never leave it. References are ids, never the objects.
"""

import os
import random
import sqlite3
import string
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from stripe_simulator.errors import StripeError, refuse_missing

Object = dict[str, Any]
ALPHABET = string.ascii_letters + string.digits
INDEXED = ("customer", "subscription", "invoice", "test_clock", "event", "key", "state")
Keys = dict[str, str]
encode = msgspec.json.encode
decode = msgspec.json.decode
dice = random.Random(os.urandom(16))  # noqa: S311


def new_id(prefix: str) -> str:
    """`cus_` and 14 characters for what people read, 24 for the rest, as Stripe does."""
    return f"{prefix}_{''.join(dice.choices(ALPHABET, k=14 if prefix in ('cus', 'prod') else 24))}"


class Store:
    def __init__(self, path: str | None = None) -> None:
        self.tables: dict[str, dict[str, Object]] = {}
        self.indexes: dict[tuple[str, str], dict[Any, dict[str, None]]] = {}
        self.touched: dict[tuple[str, str], bytes | None] = {}
        self.indexed: dict[tuple[str, str], Keys] = {}  # under which keys the indexes have what was touched
        self.is_open = False
        self.database = sqlite3.connect(path, check_same_thread=False) if path else None
        if self.database:
            self.database.execute("PRAGMA journal_mode=WAL")
            self.database.execute("PRAGMA synchronous=NORMAL")
            self.database.execute(
                "CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, place INTEGER PRIMARY KEY AUTOINCREMENT, "
                "body BLOB, UNIQUE (kind, id))"
            )
            self.load(self.database)

    def load(self, database: sqlite3.Connection) -> None:
        for kind, id, body in database.execute("SELECT kind, id, body FROM objects ORDER BY place"):
            value = self.tables.setdefault(kind, {})[id] = decode(body)
            self.index(kind, id, {}, find_keys(value))

    def clear(self) -> None:
        for held in (self.tables, self.indexes, self.touched):
            held.clear()
        if self.database:
            self.database.execute("DELETE FROM objects")
            self.database.commit()

    # Reading

    def peek(self, kind: str, id: str) -> Object | None:
        """To read only: a change to it may be lost."""
        return self.tables.get(kind, {}).get(id)

    def get(self, kind: str, id: str, *, param: str = "id", status: int = 404) -> Object:
        """The object, to read or to change in place. Raises `resource_missing` in Stripe's form."""
        found = self.peek(kind, id)
        if found is None:
            raise refuse_missing(kind, id, param=param, status=status)
        self.touch(kind, id, found)
        return found

    def get_deleted(self, kind: str, id: str) -> Object | None:
        """The stub that Stripe goes on answering for customers and the like."""
        return self.peek("_deleted", f"{kind} {id}")

    def find(self, kind: str, **equal: Any) -> list[Object]:
        """All objects with these values, oldest first, to read or to change in place."""
        found = list(self.scan(kind, **equal))
        for value in found:
            self.touch(kind, value["id"], value)
        return found

    def scan(self, kind: str, **equal: Any) -> Iterator[Object]:
        """As `find`, to read only."""
        table = self.tables.get(kind, {})
        values: Any = list(table.values())
        for name in INDEXED:
            if name in equal:
                ids = self.indexes.get((kind, name), {}).get(equal[name], {})
                changed = [id for (touched, id) in self.touched if touched == kind and id not in ids]
                values = [table[id] for id in (*ids, *changed) if id in table]
                break
        for value in values:
            if all(value.get(name) == wanted for name, wanted in equal.items()):
                yield value

    def count(self, kind: str) -> int:
        return len(self.tables.get(kind, {}))

    # Writing

    def insert(self, value: Object) -> Object:
        """Keep a new object under its `object` and `id`."""
        return self.put(value["object"], value["id"], value)

    def put(self, kind: str, id: str, value: Object) -> Object:
        """Keep a row of any kind; the simulator's own kinds begin with `_`."""
        self.touch(kind, id, self.peek(kind, id))
        self.tables.setdefault(kind, {})[id] = value
        return value

    def delete(self, value: Object, *, stub: bool = True) -> Object:
        """Remove the object; answers its stub, which `get_deleted` goes on to know."""
        kind, id = value["object"], value["id"]
        self.remove(kind, id)
        answer = {"id": id, "object": kind, "deleted": True}
        if stub:
            self.put("_deleted", f"{kind} {id}", answer)
        return answer

    def remove(self, kind: str, id: str) -> None:
        self.touch(kind, id, self.peek(kind, id))
        self.tables.get(kind, {}).pop(id, None)

    def touch(self, kind: str, id: str, value: Object | None) -> None:
        if (kind, id) not in self.touched and self.is_open:
            self.touched[kind, id] = encode(value) if value is not None else None
            if (kind, id) not in self.indexed:
                self.indexed[kind, id] = find_keys(value)

    def get_before(self, kind: str, id: str) -> Object | None:
        """The object as it was when this unit of work began; nothing if it is new or was not touched."""
        before = self.touched.get((kind, id))
        return decode(before) if before is not None else None

    # Units of work

    @contextmanager
    def unit(self) -> Iterator[None]:
        """All or nothing. A unit within a unit is the outer one."""
        if self.is_open:
            yield
            return
        self.is_open = True
        try:
            yield
        except BaseException as error:
            if isinstance(error, StripeError) and error.keeps:
                self.commit()
            else:
                self.roll_back()
            raise
        else:
            self.commit()
        finally:
            self.touched.clear()
            self.indexed.clear()
            self.is_open = False

    @contextmanager
    def sandbox(self) -> Iterator[None]:
        """Moves that are always undone, within a unit of work. Objects read before it must be read again after it."""
        outer, self.touched = self.touched, {}
        try:
            yield
        finally:
            self.roll_back()
            self.touched = outer

    def roll_back(self) -> None:
        for (kind, id), before in self.touched.items():
            if before is None:
                self.tables.get(kind, {}).pop(id, None)
            else:
                self.tables.setdefault(kind, {})[id] = decode(before)

    def commit(self) -> None:
        """Bring indexes up to date and write what changed, in one transaction."""
        rows = []
        for (kind, id), before in self.touched.items():
            value = self.peek(kind, id)
            self.index(kind, id, self.indexed[kind, id], find_keys(value))
            if self.database:
                after = encode(value) if value is not None else None
                if after != before:
                    rows.append((kind, id, after))
        if self.database and rows:
            for kind, id, after in rows:
                if after is None:
                    self.database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, id))
                else:
                    self.database.execute(
                        "INSERT INTO objects (kind, id, body) VALUES (?, ?, ?) "
                        "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                        (kind, id, after),
                    )
            self.database.commit()

    def index(self, kind: str, id: str, before: Keys, after: Keys) -> None:
        """What did not change stays in its place: the order of an index is that of age."""
        for name in before.keys() - after.keys() | {name for name in after if after[name] != before.get(name)}:
            if name in before:
                self.indexes[kind, name][before[name]].pop(id, None)
            if name in after:
                self.indexes.setdefault((kind, name), {}).setdefault(after[name], {})[id] = None


def find_keys(value: Object | None) -> Keys:
    if value is None:
        return {}
    return {name: owner for name in INDEXED if isinstance(owner := value.get(name), str)}
