"""What is due when: rows in the store, and a heap for each clock to find the next one fast."""

import heapq
import itertools
from typing import TYPE_CHECKING, Any

from stripe_simulator.store import new_id

if TYPE_CHECKING:
    from stripe_simulator.store import Store

Row = dict[str, Any]


class Schedule:
    def __init__(self, store: "Store") -> None:
        self.store = store
        self.heaps: dict[str, list[tuple[int, int, str]]] = {}
        self.order = itertools.count()
        for row in store.scan("_due"):
            self.push(row)

    def add(self, clock: str, at: int, name: str, payload: Row) -> str:
        row: Row = {
            "id": new_id("due"),
            "at": at,
            "name": name,
            "payload": payload,
            "clock": clock,
            "key": find_key(payload),
        }
        self.store.put("_due", row["id"], row)
        self.push(row)
        return str(row["id"])

    def push(self, row: Row) -> None:
        heapq.heappush(self.heaps.setdefault(row["clock"], []), (row["at"], next(self.order), row["id"]))

    def remove(self, name: str, payload: Row) -> None:
        key = find_key(payload)
        found = self.store.scan("_due", key=key) if key else self.store.scan("_due")
        for row in list(found):
            if row["name"] == name and all(row["payload"].get(key) == value for key, value in payload.items()):
                self.store.remove("_due", row["id"])

    def find_next(self, clock: str, until: int) -> Row | None:
        """The first row up to `until`. What has no row any more is skipped."""
        heap = self.heaps.get(clock, [])
        while heap and heap[0][0] <= until:
            row = self.store.peek("_due", heap[0][2])
            if row is not None:
                return row
            heapq.heappop(heap)
        return None

    def clear(self) -> None:
        self.heaps.clear()


def find_key(payload: Row) -> str | None:
    """The object that a row is about, by which it is found fast."""
    return next((payload[name] for name in ("id", "invoice", "subscription") if name in payload), None)
