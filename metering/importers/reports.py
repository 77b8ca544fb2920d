"""What an import tells while it runs and when it ends."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is. `done` and `size` are bytes on disk, compressed where the file is."""

    done: int
    size: int
    lines: int
    is_waiting: bool = False  # for another import of the same file


@dataclass(frozen=True, slots=True)
class RejectedText:
    """One line that is no usage."""

    line_number: int
    reason: str
    text: str


@dataclass(slots=True)
class Tally:
    """Lines by fate: `lines` is the sum of the other four counts."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    unmatched: int = 0
    bytes_served: int = 0  # of accepted and unmatched requests

    def add(self, other: "Tally") -> None:
        self.lines += other.lines
        self.accepted += other.accepted
        self.duplicates += other.duplicates
        self.rejected += other.rejected
        self.unmatched += other.unmatched
        self.bytes_served += other.bytes_served


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one run of an import did, and in `file_*` where it stands over all runs.

    `accounts` were created by this run; `rejections` holds its first bad lines, every one is in the database.
    `shift` is what was added to the file's times: that of the first run. `is_unfinished` tells that a last line
    without a newline was left for the next run.
    """

    source: str
    file_name: str
    shift: timedelta
    lines: int
    accepted: int
    duplicates: int
    rejected: int
    unmatched: int
    accounts: int
    bytes_read: int
    bytes_served: int
    seconds: float
    is_unfinished: bool
    file_lines: int
    file_accepted: int
    file_duplicates: int
    file_rejected: int
    file_unmatched: int
    new_meters: list[str] = field(default_factory=list)
    rejections: list[RejectedText] = field(default_factory=list)
