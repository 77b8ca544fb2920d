"""What an import tells while it runs and when it ends."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from metering.importers.formats import ColumnReport

SHOWN_SUBJECTS = 20


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
    """Lines by fate: `lines` is the sum of accepted, duplicates, rejected, unmatched and unused.

    `unused` are sound lines with nothing to count, by kind; `skipped` kept ones by the meters that could not use them;
    `subjects` the first that are no account.
    """

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    unmatched: int = 0
    unused: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    bytes_served: int = 0  # of accepted and unmatched requests
    subjects: dict[str, None] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        self.lines += other.lines
        self.accepted += other.accepted
        self.duplicates += other.duplicates
        self.rejected += other.rejected
        self.unmatched += other.unmatched
        self.unused += other.unused
        self.skipped += other.skipped
        self.bytes_served += other.bytes_served
        self.subjects |= dict.fromkeys(list(other.subjects)[: SHOWN_SUBJECTS - len(self.subjects)])


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one run of an import did, and in `file_*` where it stands over all runs.

    `accounts` were created by this run; `rejections` holds its first bad lines, every one is in the database.
    `shift` is what was added to the file's times: that of the first run. `is_unfinished` tells that a last line
    without a newline was left for the next run. `unused` counts, by kind, this run's sound lines with nothing to
    count; `skipped`, by meter, those kept that it could not use; `unmatched_subjects` are the first of this run.
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
    file_unused: int = 0
    unused: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    unmatched_subjects: list[str] = field(default_factory=list)
    columns: ColumnReport = field(default_factory=ColumnReport)
    new_meters: list[str] = field(default_factory=list)
    rejections: list[RejectedText] = field(default_factory=list)
