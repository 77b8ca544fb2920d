"""What waits to be sent, in memory. Bounded by events and by bytes; lost with the process."""

from collections import deque
from dataclasses import dataclass

from palier_client.backlog import BATCH_MAX_BYTES, Backlog

MEMORY_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemoryBatch:
    """Rows, which stay in memory until they are forgotten."""

    lines: list[bytes]

    @property
    def rows(self) -> int:
        return len(self.lines)

    def read(self) -> tuple[list[bytes], int]:
        return self.lines, 0


class Memory(Backlog):
    """A queue of rows."""

    def __init__(self, *, max_rows: int, batch_rows: int, max_bytes: int = MEMORY_MAX_BYTES) -> None:
        self.max_rows, self.batch_rows, self.max_bytes = max_rows, batch_rows, max_bytes
        self.rows: deque[bytes] = deque()
        self.bytes = 0
        self.batch: MemoryBatch | None = None

    @property
    def waiting(self) -> int:
        return len(self.rows)

    def put(self, row: bytes) -> bool:
        if len(self.rows) >= self.max_rows or self.bytes + len(row) > self.max_bytes:
            return False
        self.rows.append(row)
        self.bytes += len(row)
        return True

    def oldest(self) -> MemoryBatch | None:
        if self.batch is None and self.rows:
            self.batch = MemoryBatch(self.cut())
        return self.batch

    def cut(self) -> list[bytes]:
        lines: list[bytes] = []
        size = 0
        for row in self.rows:
            size += len(row) + 1
            if len(lines) == self.batch_rows or (lines and size > BATCH_MAX_BYTES):
                break
            lines.append(row)
        return lines

    def forget(self) -> None:
        if self.batch is not None:
            for _ in self.batch.lines:
                self.bytes -= len(self.rows.popleft())
            self.batch = None

    def close(self) -> int:
        lost = len(self.rows)
        self.rows.clear()
        self.bytes, self.batch = 0, None
        return lost

    def renew(self) -> "Memory":
        return Memory(max_rows=self.max_rows, batch_rows=self.batch_rows, max_bytes=self.max_bytes)
