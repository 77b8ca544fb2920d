"""What waits to be sent, wherever it waits. Not safe between threads: the client holds its lock, but where it says."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

BATCH_MAX_BYTES = 4 * 1024 * 1024  # the server takes five megabytes


class Batch(Protocol):
    """What is sent in one request, and forgotten together."""

    @property
    def rows(self) -> int: ...

    def read(self) -> tuple[list[bytes], int]:
        """The rows, and how many cannot be read any more. Needs no lock. Raises OSError: another time, perhaps."""


class Backlog(ABC):
    """Oldest first. When it is full the newest row is refused: the oldest may be on its way already, so that throwing
    it away could neither be counted nor undone.
    """

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Rows that were put and not forgotten."""

    def open(self) -> None:  # noqa: B027 - memory has nothing to open
        """Before the first use; again, it changes nothing. Raises OSError."""

    @abstractmethod
    def put(self, row: bytes) -> bool:
        """False when there is no room. Raises OSError when the disk refuses."""

    @abstractmethod
    def oldest(self) -> Batch | None:
        """The batch to send next; the same one until it is forgotten."""

    @abstractmethod
    def forget(self) -> None:
        """Drop the batch that oldest() gave: it has arrived."""

    @abstractmethod
    def close(self) -> int:
        """Let go of what waits; returns how many rows are lost with it."""

    @abstractmethod
    def renew(self) -> "Backlog":
        """An empty one, for a process that was forked off: what waits here is its parent's to send."""

    def collect_orphans(self) -> Iterator[Batch]:
        """Take over, one by one, what dead processes left. Needs no lock, but to be open. Raises OSError at the end for
        what could not be taken.
        """
        yield from ()

    def add(self, batch: Batch) -> None:
        """Let what was collected wait behind what was put so far."""
        raise TypeError("what waits here dies with its process: there is nothing to take over")
