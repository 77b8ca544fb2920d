"""Corrections: an event that counts no more, and what counts instead.

An event is never changed. A correction is a row beside it, and what its hours come to is counted anew from all that is
left, in the same transaction: rollups, the limits' totals, and an adjustment for each window that is closed. Alerts
that spoke stay; a level speaks once, also when usage fell below it and reaches it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import transaction

from metering.alerts import record_crossings
from metering.catalogue import Catalogue, read_catalogue
from metering.changes import Change, list_touched_windows, read_quantities, state_changes
from metering.events import EventFate, Fate, UsageEvent, floor_hour
from metering.ingest import Batch, Submission, claim_batch
from metering.locks import hold_limits_for_opening, hold_names_and_meters
from metering.matching import (
    EventFilter,
    InvalidFilter,
    MatchedEvent,
    TooManyEvents,
    UnknownEvent,
    find_matching,
    find_stored,
    measure_matched,
)
from metering.models import AdjustmentCause, Correction, CorrectionKind
from metering.recounting import HistoryPruned, RollupCell, recount_cells

__all__ = [
    "AlreadyCorrected",
    "Change",
    "CorrectionResult",
    "CountChanged",
    "EventFilter",
    "HistoryPruned",
    "InvalidFilter",
    "InvalidReason",
    "ReplacementRefused",
    "TooManyEvents",
    "UnknownEvent",
    "find_retractable",
    "replace_event",
    "retract_event",
    "retract_events",
]

SAMPLE = 10
REASON_MAX = 400  # characters
MADE_BY_MAX = 200


@dataclass(frozen=True, slots=True)
class CorrectionResult:
    """What a correction did, or would do. `event_count` is zero when all of it was done before.

    `changes` are the quantities that changed, by account, meter and window, at most a hundred of them; `has_more` says
    that there are others. `sample` holds the first ten of the events.
    """

    event_count: int
    sample: tuple[MatchedEvent, ...] = ()
    changes: tuple[Change, ...] = ()
    has_more: bool = False
    replacement: EventFate | None = None


class AlreadyCorrected(ValueError):
    """The event was corrected before, in another way. Its replacement can be corrected in its place."""


class ReplacementRefused(ValueError):
    """What should count instead cannot be stored as a new event; `fate` says why, as of any event."""

    def __init__(self, fate: EventFate) -> None:
        super().__init__(fate.message)
        self.fate = fate


class CountChanged(ValueError):
    """Another number of events matches than the caller was told; nothing was retracted."""

    def __init__(self, found: int) -> None:
        super().__init__(f"{found:,} events match now: look at them again before they are retracted.")
        self.found = found


class InvalidReason(ValueError):
    """A correction says why, in 1 to 400 characters."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the ledger says of each correction."""

    reason: str
    made_by: str
    at: datetime

    def __post_init__(self) -> None:
        if not 0 < len(self.reason.strip()) <= REASON_MAX or "\0" in self.reason:
            raise InvalidReason(f"A correction needs a reason of 1 to {REASON_MAX} characters.")


@transaction.atomic
def retract_event(
    source: str, event_id: str, *, reason: str, made_by: str, at: datetime, account_id: int | None = None
) -> CorrectionResult:
    """Let one event count no more. Retracting it again changes nothing. Of an unmatched event nothing was counted.

    `account_id` is the account whose events the caller may correct, None for all. Raises UnknownEvent,
    AlreadyCorrected when it was replaced, HistoryPruned, InvalidReason.
    """
    note = Note(reason, made_by, at)
    hold_names_and_meters()
    hold_limits_for_opening()
    event = find_stored(source, event_id, account_id=account_id)
    standing = find_correction(source, event_id)
    if standing is not None:
        if standing.kind == CorrectionKind.RETRACT:
            return CorrectionResult(0)
        raise AlreadyCorrected(describe_standing(standing))
    return correct_events([event], note=note)


@transaction.atomic
def replace_event(
    source: str,
    event_id: str,
    event: UsageEvent,
    *,
    reason: str,
    made_by: str,
    at: datetime,
    api_key_id: int | None = None,
    account_id: int | None = None,
) -> CorrectionResult:
    """Let another event count in place of one. It is stored as any new event, under its own source and id.

    Without a time it has that of the event it replaces, and it may be as old as that. Replacing an event by the same
    again changes nothing. Raises UnknownEvent, AlreadyCorrected, ReplacementRefused, HistoryPruned, InvalidReason.
    """
    note = Note(reason, made_by, at)
    replaced = find_stored(source, event_id, account_id=account_id)
    if event.time is None:
        event = msgspec.structs.replace(event, time=replaced.happened_at)
    max_age = max(timedelta(days=settings.EVENT_MAX_AGE_DAYS), at - replaced.happened_at)
    batch = claim_batch([Submission([event], at, api_key_id, max_age)], at=at)
    [[fate]] = batch.list_fates()
    hold_limits_for_opening()
    standing = find_correction(source, event_id)
    if standing is not None:
        if fate.fate is Fate.DUPLICATE and is_replaced_by(standing, event):
            return CorrectionResult(0, replacement=fate)
        raise AlreadyCorrected(describe_standing(standing))
    require_new(event, fate)
    replaced = find_stored(source, event_id, account_id=account_id)  # it may have learnt its account meanwhile
    require_own_account(event, batch, account_id=account_id)
    return correct_events([replaced], note=note, batch=batch)


def require_new(event: UsageEvent, fate: EventFate) -> None:
    if fate.fate is Fate.DUPLICATE:
        message = "This event is stored already; what replaces another needs an id of its own."
        raise ReplacementRefused(EventFate(event.source, event.id, Fate.REJECTED, "known", "id", message))
    if fate.fate in (Fate.REJECTED, Fate.CONFLICT):
        raise ReplacementRefused(fate)


def require_own_account(event: UsageEvent, batch: Batch, *, account_id: int | None) -> None:
    if account_id is not None and any(found != account_id for found in batch.accounts.values()):
        message = "This key sees no account of that name."
        raise ReplacementRefused(
            EventFate(event.source, event.id, Fate.REJECTED, "unknown_account", "subject", message)
        )


@transaction.atomic
def find_retractable(wanted: EventFilter, *, at: datetime, account_id: int | None = None) -> CorrectionResult:
    """What retracting all that match would do: done, looked at, and undone. Raises what retract_events does."""
    point = transaction.savepoint()
    found = retract_matching(wanted, note=Note("dry run", "", at), account_id=account_id, expected_count=None)
    transaction.savepoint_rollback(point)
    return found


@transaction.atomic
def retract_events(
    wanted: EventFilter,
    *,
    expected_count: int,
    reason: str,
    made_by: str,
    at: datetime,
    account_id: int | None = None,
) -> CorrectionResult:
    """Let every event that matches and still counts count no more: all of them, or none.

    `expected_count` is what find_retractable said. Raises CountChanged when it is no longer so, TooManyEvents,
    InvalidFilter, HistoryPruned, InvalidReason.
    """
    note = Note(reason, made_by, at)
    return retract_matching(wanted, note=note, account_id=account_id, expected_count=expected_count)


def retract_matching(
    wanted: EventFilter, *, note: Note, account_id: int | None, expected_count: int | None
) -> CorrectionResult:
    hold_names_and_meters()
    hold_limits_for_opening()
    events = find_matching(wanted, account_id=account_id)
    if expected_count not in (None, len(events)):
        raise CountChanged(len(events))
    return correct_events(events, note=note)


def correct_events(events: Sequence[MatchedEvent], *, note: Note, batch: Batch | None = None) -> CorrectionResult:
    """Write the ledger, store what replaces the one event, and count the hours of both anew. Under every lock."""
    catalogue = read_catalogue()
    cells = find_cells(events, catalogue) | (find_new_cells(batch) if batch else set())
    windows, has_more = list_touched_windows(cells)
    before = read_quantities(windows)
    replacement = next(iter(batch.staged.values())) if batch else None
    Correction.objects.bulk_create(
        Correction(
            source=event.source,
            event_id=event.id,
            account_id=event.account_id,
            kind=CorrectionKind.RETRACT if replacement is None else CorrectionKind.REPLACE,
            replacement_source="" if replacement is None else replacement.source,
            replacement_id="" if replacement is None else replacement.id,
            reason=note.reason,
            made_by=note.made_by[:MADE_BY_MAX],
            made_at=note.at,
        )
        for event in events
    )
    if batch:
        batch.copy(at=note.at)
    if crossed := recount_cells(cells, cause=AdjustmentCause.CORRECTION, at=note.at):
        record_crossings(crossed, at=note.at)
    return CorrectionResult(
        event_count=len(events),
        sample=tuple(events[:SAMPLE]),
        changes=state_changes(windows, before, read_quantities(windows)),
        has_more=has_more,
        replacement=batch.list_fates()[0][0] if batch else None,
    )


def find_cells(events: Sequence[MatchedEvent], catalogue: Catalogue) -> set[RollupCell]:
    return {
        RollupCell(event.account_id, measure.meter_id, floor_hour(event.happened_at))
        for event in events
        if event.account_id is not None
        for measure in measure_matched(event, catalogue)
    }


def find_new_cells(batch: Batch) -> set[RollupCell]:
    return {
        RollupCell(account_id, measure.meter_id, floor_hour(row.happened_at))
        for row in batch.new.values()
        if (account_id := batch.accounts[row.subject]) is not None
        for measure in row.measures
    }


def find_correction(source: str, event_id: str) -> Correction | None:
    return Correction.objects.filter(source=source, event_id=event_id).first()


def is_replaced_by(correction: Correction, event: UsageEvent) -> bool:
    return (correction.kind, correction.replacement_source, correction.replacement_id) == (
        CorrectionKind.REPLACE,
        event.source,
        event.id,
    )


def describe_standing(correction: Correction) -> str:
    if correction.kind == CorrectionKind.RETRACT:
        return "This event was retracted already."
    return (
        f"This event was replaced already, by {correction.replacement_source} {correction.replacement_id}; correct that"
        " one."
    )
