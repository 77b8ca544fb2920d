"""The ledger of corrections, read: what counts no more, what counts instead, who said so and why."""

from dataclasses import dataclass
from datetime import datetime

from metering.models import Correction

PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class CorrectionFact:
    """One event that counts no more. `account_key` is None where it waited for its account; `kind` retract or replace.

    The replacement's source and id are empty where nothing counts instead.
    """

    id: int
    source: str
    event_id: str
    account_key: str | None
    kind: str
    replacement_source: str
    replacement_id: str
    reason: str
    made_by: str
    made_at: datetime


def list_corrections(
    *, account_id: int | None = None, source: str = "", event_id: str = "", before: int | None = None, limit: int = 50
) -> list[CorrectionFact]:
    """The youngest first, at most a hundred, below the id `before`. An account and an event narrow it."""
    rows = Correction.objects.select_related("account").order_by("-pk")
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    if source:
        rows = rows.filter(source=source)
    if event_id:
        rows = rows.filter(event_id=event_id)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return [state_correction(row) for row in rows[: min(limit, PAGE_MAX)]]


def state_correction(row: Correction) -> CorrectionFact:
    return CorrectionFact(
        id=row.pk,
        source=row.source,
        event_id=row.event_id,
        account_key=None if row.account is None else row.account.key,
        kind=row.kind,
        replacement_source=row.replacement_source,
        replacement_id=row.replacement_id,
        reason=row.reason,
        made_by=row.made_by,
        made_at=row.made_at,
    )
