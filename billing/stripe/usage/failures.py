"""Meter events that Stripe refused, at once or later: staff is told, and what they were is sent anew once it can be."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from billing.models import MeterEventState, StripeCustomer, StripeMeterEvent, StripeTally
from billing.rating import trim
from billing.rating.readings import add_quantities
from billing.rows import insert_rows
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.usage.collecting import make_events
from billing.stripe.usage.slices import Slice, find_last_slice, is_too_old

FAILED = "usage_failed"


class CannotReplay(ValueError):
    """The event did not fail, has one in its place already, or is longer ago than Stripe looks back."""


def select_failed(periods: Collection[int]) -> "dict[tuple[int, int], list[StripeMeterEvent]]":
    """(period, meter) → what failed and has nothing in its place."""
    rows = StripeMeterEvent.objects.filter(state=MeterEventState.FAILED, replacement__isnull=True, period__in=periods)
    found: dict[tuple[int, int], list[StripeMeterEvent]] = {}
    for row in rows.order_by("pk"):
        found.setdefault((row.period_id, row.meter_id), []).append(row)
    return found


@transaction.atomic
def tell_failures(keys: Collection[tuple[int, int]], *, at: datetime) -> None:
    """Say what of these (period, meter) failed, or that nothing did any more. One drift for each."""
    failed = select_failed({period_id for period_id, _ in keys})
    for period_id, meter_id in sorted(keys):
        rows = failed.get((period_id, meter_id), [])
        if not rows:
            close_drift(FAILED, f"{period_id} {meter_id}", at=at)
            continue
        codes = ", ".join(dict.fromkeys(row.error_code for row in rows))
        value = add_quantities(row.value for row in rows)
        open_drift(
            FAILED,
            f"{period_id} {meter_id}",
            account_id=rows[0].account_id,
            ours=f"{trim(value):f}",
            theirs="0",
            cause=f"Stripe refused {len(rows)} meter events: {codes}.",
            at=at,
        )


@transaction.atomic
def replay_events(event_ids: Collection[int], *, at: datetime) -> int:
    """Queue what failed once more, each as a new revision of its slice under a new identifier. How many.

    A second call changes nothing: an event has one in its place at most. It goes to the customer that the account has
    in Stripe now. What is too old for its own slice is told with the last one of its period. Raises CannotReplay.
    """
    found = StripeMeterEvent.objects.filter(pk__in=event_ids, state=MeterEventState.FAILED, replacement__isnull=True)
    keys = sorted(set(found.values_list("period_id", "meter_id")))
    tallies = {
        (row.period_id, row.meter_id): row
        for row in StripeTally.objects.filter(period__in={period_id for period_id, _ in keys})
        .select_related("period")
        .order_by("pk")
        .select_for_update(of=("self",))
    }
    queued = 0
    for event in found.order_by("pk"):  # read under the lock: what another call replayed is left out
        queued += queue_again(event, tallies[event.period_id, event.meter_id], at=at)
    tell_failures(keys, at=at)
    return queued


def queue_again(event: StripeMeterEvent, tally: StripeTally, *, at: datetime) -> int:
    customer = StripeCustomer.objects.filter(pk=event.account_id).values_list("stripe_id", flat=True).first()
    tally.customer_id = customer or tally.customer_id
    part = Slice(event.starts_at, event.ends_at)
    if is_too_old(part, at=at):
        part = find_last_slice(tally.period.starts_at, tally.period.ends_at)
    if is_too_old(part, at=at):
        raise CannotReplay(_("%(event)s is longer ago than Stripe looks back.") % {"event": event})
    same = StripeMeterEvent.objects.filter(period_id=event.period_id, meter_id=event.meter_id, starts_at=part.start)
    revision = (same.aggregate(last=Max("revision"))["last"] or 0) + 1
    made = make_events(tally, part, event.value, revision=revision, at=at, replaces_id=event.pk)
    insert_rows(StripeMeterEvent, made)
    return len(made)


def tell_unknown(report_id: str, code: str, count: int, *, at: datetime) -> None:
    """Some events failed of which Stripe does not say which: reconciliation finds them by what its meters count."""
    open_drift(
        FAILED,
        f"{report_id} {code}",
        account_id=None,
        ours=f"{count} meter events",
        theirs="0",
        cause=f"Stripe refused {count} more meter events ({code}) and does not say which.",
        at=at,
    )
