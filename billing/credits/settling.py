"""What the clock does to credit: it recurs, and what is left of it rolls over or expires. Each of it once."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from billing.credits.grants import open_grant
from billing.credits.ledger import EntryRow, make_entry, write_entries
from billing.credits.recurrence import Rollover, find_occurrence
from billing.models import CreditEntry, CreditGrant, CreditKind, Invoice, InvoiceState, Period
from billing.periods import Interval

BATCH = 500


def recur_due(*, at: datetime, account_ids: Collection[int] | None = None) -> int:
    """Begin the next of every series whose last one is over, up to the one that holds `at`. Returns how many began."""
    begun = 0
    while due := list(find_recurring(at, account_ids).values_list("pk", flat=True)[:BATCH]):
        begun += recur_batch(due, at=at)
    return begun


def find_recurring(at: datetime, account_ids: Collection[int] | None) -> QuerySet[CreditGrant]:
    due = CreditGrant.objects.exclude(interval="").filter(
        Q(recurs_until__isnull=True) | Q(recurs_until__gt=F("expires_at")),
        expires_at__lte=at,
        voided_at__isnull=True,
        next__isnull=True,
    )
    return (due if account_ids is None else due.filter(account_id__in=account_ids)).order_by("pk")


@transaction.atomic
def recur_batch(ids: Collection[int], *, at: datetime) -> int:
    """Who comes second waits for the lock, and then finds the next one there, or the grant voided."""
    locked = CreditGrant.objects.select_for_update(no_key=True).filter(pk__in=ids, voided_at__isnull=True)
    grants = list(locked.order_by("pk"))
    followed = set(CreditGrant.objects.filter(previous__in=grants).values_list("previous_id", flat=True))
    for grant in grants:
        if grant.pk not in followed:
            open_grant(follow_grant(grant, at=at), at=at)
    return len(grants) - len(followed)


def follow_grant(grant: CreditGrant, *, at: datetime) -> CreditGrant:
    number, interval = grant.number + 1, Interval(grant.interval)
    anchor = grant.anchor or grant.effective_at
    return CreditGrant(
        account_id=grant.account_id,
        currency=grant.currency,
        source=grant.source,
        amount_minor=grant.amount_minor,
        priority=grant.priority,
        effective_at=find_occurrence(anchor, interval, number, time_zone=grant.time_zone),
        expires_at=find_occurrence(anchor, interval, number + 1, time_zone=grant.time_zone),
        scope=grant.scope,
        interval=grant.interval,
        anchor=anchor,
        time_zone=grant.time_zone,
        number=number,
        previous=grant,
        recurs_until=grant.recurs_until,
        rollover_min_minor=grant.rollover_min_minor,
        rollover_max_minor=grant.rollover_max_minor,
        note=grant.note,
        made_at=at,
    )


def expire_due(at: datetime) -> int:
    """Post the end of credit that has expired. Returns how many grants ended; a second call finds none.

    Credit waits for the invoices that it may still pay: those of periods that ended with it or before, and are neither
    closed nor past being drafts. What a series leaves goes to the next of it, as far as its terms let it roll over.
    """
    ended = 0
    while due := list(find_expired(at).values_list("pk", flat=True)[:BATCH]):
        ended += expire_batch(due, at=at)
    return ended


def find_expired(at: datetime) -> QuerySet[CreditGrant]:
    """The earlier ends first: what rolls over from one may expire with the next."""
    over = {"ends_at__lte": OuterRef("expires_at"), "closed_at__isnull": True}
    open_periods = Period.objects.filter(subscription__account=OuterRef("account"), **over)
    drafts = Invoice.objects.filter(
        account=OuterRef("account"), state=InvoiceState.DRAFT, period_end__lte=OuterRef("expires_at")
    )
    expired = CreditGrant.objects.filter(is_unsettled(), expires_at__lte=at)
    return expired.exclude(Exists(open_periods)).exclude(Exists(drafts)).order_by("expires_at", "pk")


def is_unsettled() -> Q:
    """Something is left of it, or something is to roll over though nothing is left."""
    rolled = find_rolled().filter(grant__previous=OuterRef("pk"))
    gives_least = Q(rollover_min_minor__gt=0, next__isnull=False, next__voided_at__isnull=True)
    return Q(balance_minor__gt=0) | (gives_least & Q(~Exists(rolled)))


def find_rolled() -> QuerySet[CreditEntry]:
    """What came to a grant from the one before it; that happens once."""
    return CreditEntry.objects.filter(kind=CreditKind.ROLLED_OVER, amount_minor__gt=0)


@transaction.atomic
def expire_batch(ids: Sequence[int], *, at: datetime) -> int:
    """The grants and those that follow them are locked together, in the order of their ids; then ended in the given."""
    both = Q(pk__in=ids) | Q(previous__in=ids)
    locked = {
        grant.pk: grant for grant in CreditGrant.objects.select_for_update(no_key=True).filter(both).order_by("pk")
    }
    following = {grant.previous_id: grant for grant in locked.values() if grant.previous_id is not None}
    unsettled = set(CreditGrant.objects.filter(is_unsettled(), pk__in=ids).values_list("pk", flat=True))
    rolled = set(find_rolled().filter(grant__previous__in=ids).values_list("grant__previous_id", flat=True))
    counted = CreditEntry.objects.filter(grant__in=unsettled).order_by().values_list("grant_id")
    counts = dict(counted.annotate(Count("pk")))
    entries: list[EntryRow] = []
    for pk in ids:
        if pk in unsettled:
            heir = following.get(pk) if pk not in rolled else None
            entries += end_grant(locked[pk], heir, key=f"end after {counts[pk]} entries", at=at)
    write_entries(entries)
    return len(unsettled)


def end_grant(grant: CreditGrant, heir: CreditGrant | None, *, key: str, at: datetime) -> Iterator[EntryRow]:
    """What rolls over leaves this one and comes to the next; the rest expires. Also moved between the rows in hand."""
    left, kept = grant.balance_minor, 0
    if heir is not None and heir.voided_at is None:
        rollover = Rollover(Decimal(grant.rollover_min_minor), Decimal(grant.rollover_max_minor))
        kept = int(rollover.keep(Decimal(left)))
    moved = min(kept, left)
    if heir is not None and kept:
        heir.balance_minor += kept
        yield make_entry(heir.pk, CreditKind.ROLLED_OVER, kept, key="from the one before", at=at)
    if moved:
        yield make_entry(grant.pk, CreditKind.ROLLED_OVER, -moved, key=key, at=at)
    if left > moved:
        yield make_entry(grant.pk, CreditKind.EXPIRED, moved - left, key=key, at=at)
    grant.balance_minor = 0
