"""What is to be told Stripe of a subscription next. Decided under a lock and stored before anything is sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.db import transaction

from billing.models import (
    Period,
    PlanVersion,
    StripeCustomer,
    StripeMirroring,
    StripeSubscription,
    Subscription,
    SubscriptionState,
)
from billing.periods import Cycle
from billing.plans import describe_periods, read_version
from billing.profiles import read_profile
from billing.rating import PriceModel
from billing.stripe.drifts import close_drift
from billing.stripe.mirroring.stretches import PeriodFact, begin_stretch, find_end
from billing.stripe.subscriptions import DRIFT, ENDED, name_drift

RUNNING = (SubscriptionState.TRIALING, SubscriptionState.ACTIVE)
CHARGE, SEND = "charge_automatically", "send_invoice"
# How long Stripe may take to end what it was told to end; it does so by its own clock.
END_SEEN_WITHIN = timedelta(hours=1)
LOOK_AGAIN = timedelta(minutes=2)


class Deed(Enum):
    CREATE = "create"
    UPDATE = "update"
    CANCEL = "cancel"
    CONFIRM = "confirm"  # see that Stripe ended it, as it was told to


@dataclass(frozen=True, slots=True)
class Step:
    """One call, and the row that it is about."""

    deed: Deed
    row: StripeSubscription


@transaction.atomic
def plan_step(subscription_id: int, *, at: datetime) -> Step | None:
    """What is to be done now; None where nothing is, and then `due_at` says when to look again.

    Decided by the rows as they are, not by what called for it: whatever was lost or came twice, this is the same.
    """
    mirroring = StripeMirroring.objects.select_for_update().get(pk=subscription_id)
    subscription = Subscription.objects.select_related("version", "next_version").get(pk=subscription_id)
    customer = StripeCustomer.objects.filter(pk=subscription.account_id, problem="", stripe_id__isnull=False).first()
    if customer is None:
        return None
    live = StripeSubscription.objects.filter(subscription_id=subscription_id, closed_at__isnull=True)
    row = live.select_related("version").first() or begin_row(subscription, customer, at=at)
    if row is None:
        mirroring.due_at = find_next_start(subscription, at=at)
        mirroring.save(update_fields=["due_at"])
        return None
    if row.stripe_id is None:
        return Step(Deed.CREATE, row)
    state_wishes(row, subscription, customer)
    if row.ends_at is not None and row.ends_at <= at:
        knows = row.told_ends_at == row.ends_at and at < row.ends_at + END_SEEN_WITHIN
        return Step(Deed.CONFIRM if knows else Deed.CANCEL, row)
    if row.status in ENDED:
        if row.told_ends_at is None or row.told_ends_at > at:
            return None  # somebody ended it in Stripe: a drift, until a person decides
        close_as_told(row, at=at)
        return plan_step(subscription_id, at=at)
    if row.told_revision < row.revision:
        return Step(Deed.UPDATE, row)
    mirroring.due_at = row.ends_at
    mirroring.save(update_fields=["due_at"])
    return None


def begin_row(subscription: Subscription, customer: StripeCustomer, *, at: datetime) -> StripeSubscription | None:
    """The stretch that begins with the period which holds `at`; None where there is none that Stripe is to know.

    Of a period that another stretch lay in already the rest is asked by lines: the next one begins with the next.
    """
    held = Period.objects.filter(subscription=subscription, starts_at__lte=at, ends_at__gt=at)
    period = held.select_related("version").first()
    if period is None or subscription.state not in RUNNING or charges_nothing(period.version):
        return None
    before = StripeSubscription.objects.filter(subscription=subscription, ends_at__gt=period.starts_at)
    if before.exists():
        return None
    cycle = find_cycle_of(subscription, period.version)
    zone = read_profile(subscription.account_id).time_zone
    stretch = begin_stretch(describe_period(period), cycle, zone)
    return StripeSubscription.objects.create(
        subscription=subscription,
        version=period.version,
        customer_id=customer.stripe_id or "",
        starts_at=stretch.starts_at,
        trial_ends_at=stretch.trial_ends_at,
        anchor=stretch.anchor.at,
        anchor_day=stretch.anchor.day,
        is_backdated=stretch.starts_at < at,
        collection_method=choose_collection(customer),
        revision=1,
    )


def find_cycle_of(subscription: Subscription, version: PlanVersion) -> Cycle:
    return describe_periods(version).cycle(subscription.anchor)


def state_wishes(row: StripeSubscription, subscription: Subscription, customer: StripeCustomer) -> None:
    """Store what Stripe is to have from now on; a revision counts each time that it is another."""
    ends_at = find_end_of(row, subscription)
    collection = choose_collection(customer)
    if (ends_at, collection) != (row.ends_at, row.collection_method):
        row.ends_at, row.collection_method, row.revision = ends_at, collection, row.revision + 1
        row.save(update_fields=["ends_at", "collection_method", "revision"])


def close_as_told(row: StripeSubscription, *, at: datetime) -> None:
    """Stripe ended it when it had been told to, before it heard that it is to go on: another stretch follows."""
    row.ends_at, row.closed_at, row.told_revision = row.told_ends_at, at, row.revision
    row.save(update_fields=["ends_at", "closed_at", "told_revision"])
    close_drift(DRIFT, name_drift(row), at=at, note="ended as it was told to")


def find_end_of(row: StripeSubscription, subscription: Subscription) -> datetime | None:
    periods = Period.objects.filter(subscription=subscription, starts_at__gte=row.starts_at).order_by("starts_at")
    planned = [each for each in (subscription.cancels_at, subscription.changes_at) if each is not None]
    return find_end(
        [describe_period(each) for each in periods],
        starts_at=row.starts_at,
        version_id=row.version_id,
        trial_ends_at=row.trial_ends_at,
        is_running=subscription.state in RUNNING,
        planned_end=min(planned, default=None),
    )


def find_next_start(subscription: Subscription, *, at: datetime) -> datetime | None:
    """When a period begins that nothing in Stripe lies in yet; None where none is to come."""
    if subscription.state not in RUNNING:
        return None
    held = Period.objects.filter(subscription=subscription, starts_at__lte=at, ends_at__gt=at)
    return held.values_list("ends_at", flat=True).first() or at + LOOK_AGAIN


def charges_nothing(version: PlanVersion) -> bool:
    """Whether whatever is used, nothing is ever asked: such a plan is not mirrored."""
    terms = read_version(version.pk)
    if terms.commitment_minor or terms.add_ons:
        return False
    return all(price.model is PriceModel.FLAT and not price.unit_amount for price in terms.prices)


def choose_collection(customer: StripeCustomer) -> str:
    return CHARGE if customer.payment_method_id else SEND


def describe_period(period: Period) -> PeriodFact:
    return PeriodFact(period.starts_at, period.ends_at, period.version_id, period.is_free, period.is_prorated)


def count_payment_days() -> int:
    return int(settings.BILLING_PAYMENT_DAYS)
