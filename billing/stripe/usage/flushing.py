"""All usage of a period out and accepted: what has to be before its invoice in Stripe is final."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from billing.models import MeterEventState, Period, StripeMeterEvent, StripeMode, StripeTally
from billing.stripe.modes import fix_modes, read_prices
from billing.stripe.subscriptions import find_mirror
from billing.stripe.usage.collecting import find_targets, make_plans, queue_plans
from billing.stripe.usage.sending import send_usage, start_clock
from billing.stripe.usage.tallies import decide_now

AT_MOST = timedelta(seconds=30)  # that a flush sends for: what is left goes out with everything else


@dataclass(frozen=True, slots=True)
class Flushed:
    """Whether Stripe has accepted all usage of the period; how many events are on their way, and how many failed.

    `unsent` is how many of its meters count something that could not even be queued, of which staff was told.
    """

    is_complete: bool
    waiting: int
    failed: int
    unsent: int = 0


def flush_period(period_id: int, at: datetime) -> Flushed:
    """Queue what is left of the period and send it, at once. Outside of a transaction; safe to call again.

    Of a period that is closed it brings Stripe's meters to what its invoice bills, whatever was counted since. How its
    prices are charged is decided now at the latest. Where nothing goes out by meters it is complete at once.
    """
    period = Period.objects.select_related("subscription").get(pk=period_id)
    settle_modes(period, at=at)
    targets = find_targets([period], at=at, is_final=period.closed_at is not None)
    queue_plans(make_plans(targets, at=at), at=at)
    send_usage(clock=start_clock(at), until=at + AT_MOST, periods=[period.pk])
    return close_tallies(period, at=at)


def settle_modes(period: Period, *, at: datetime) -> None:
    """Of a period that goes on nothing is decided here: its subscription may be about to be made in Stripe."""
    if period.closed_at is not None:
        prices = read_prices([period.version_id])
        fix_modes(list(decide_now({period: find_mirror(period)}, prices, at=at).items()), at=at)


def close_tallies(period: Period, *, at: datetime) -> Flushed:
    counts = StripeMeterEvent.objects.filter(period=period).aggregate(
        waiting=Count("pk", filter=Q(state__in=[MeterEventState.QUEUED, MeterEventState.SENDING])),
        failed=Count("pk", filter=Q(state=MeterEventState.FAILED, replacement__isnull=True)),
    )
    metered = StripeTally.objects.filter(period=period)
    if not StripeMode.objects.filter(period=period, mode="meters").exists():
        return Flushed(True, 0, 0)  # a cut: what was told is billed by nobody
    left = [target for target in find_targets([period], at=at) if target.used != target.tally.queued]
    is_complete = not (counts["waiting"] or counts["failed"] or left)
    if is_complete and period.closed_at is not None:
        metered.filter(closed_at__isnull=True).update(closed_at=at)
    return Flushed(is_complete, counts["waiting"], counts["failed"], len(left))
