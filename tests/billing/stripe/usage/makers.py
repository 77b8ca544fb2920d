"""A customer whose subscription is in Stripe, as far as our own rows say so."""

from datetime import timedelta
from decimal import Decimal

from billing.models import Period, Price, StripeCustomer, StripeKind, StripeObject, StripeSubscription
from billing.rating import graduated, per_unit
from billing.stripe.catalogue.lookup import find_meter_id, name_event
from billing.stripe.expressing import FORMULAS
from billing.stripe.usage.sending import send_usage
from metering import meters
from tests.billing.makers import BANDWIDTH, BASE_FEE, FEB, JAN, REQUEST_TIERS, make_meters, make_plan, make_subscription

MINUTE = timedelta(minutes=1)
SEEN = timedelta(minutes=5)  # after its end an hour is collected

__all__ = [
    "BANDWIDTH",
    "BASE_FEE",
    "FEB",
    "JAN",
    "MINUTE",
    "SEEN",
    "connect",
    "make_connected",
    "make_level",
    "read_stripe",
    "send_all",
    "tell_stripe",
]


def make_connected(key="acme", *, prices=None, plan=None, time_zone="UTC", started_at=JAN):
    """An account on a plan, the period it began with, and both in Stripe. One price by requests, unless told."""
    make_meters()
    prices = prices or [BASE_FEE, graduated("Requests", meter_key="requests", tiers=REQUEST_TIERS), BANDWIDTH]
    subscription = make_subscription(
        key, plan=plan or make_plan(prices=prices, limits=[]), time_zone=time_zone, started_at=started_at
    )
    period = Period.objects.filter(subscription_id=subscription.id).select_related("subscription").earliest("starts_at")
    connect(period)
    return period


def connect(period, **fields):
    number = StripeCustomer.objects.count() + 1
    customer = StripeCustomer.objects.create(
        account_id=period.subscription.account_id, stripe_id=f"cus_{number}", asked_at=JAN
    )
    prices = Price.objects.filter(version_id=period.version_id)
    known = {"stripe_id": f"sub_{number}", "status": "active", "cycle_starts_at": period.starts_at}
    known |= {"items": {str(price.pk): f"si_{price.pk}" for price in prices}}
    return StripeSubscription.objects.create(
        subscription_id=period.subscription_id,
        version_id=period.version_id,
        customer_id=customer.stripe_id,
        starts_at=period.starts_at,
        anchor=period.ends_at,
        **known | fields,
    )


def make_level(key="seats"):
    """A meter of the last value, and a price of it."""
    meters.create_meter(
        key=key, name="Seats", event_type="seats.set", aggregation="latest", value="count", unit="seat", at=JAN
    )
    return per_unit("Seats", meter_key=key, unit_amount=BANDWIDTH.unit_amount)


def tell_stripe(simulator, *periods, at=JAN):
    """A simulator that begins at `at` and has the customers and meters of these periods, under its own ids."""
    simulator.reset(now=at)
    client = simulator.client()
    for meter in meters.list_meters():
        made = client.v1.billing.meters.create(
            {
                "display_name": meter.name,
                "event_name": name_event(meter.key),
                "default_aggregation": {"formula": FORMULAS.get(meter.aggregation, "sum")},
            }
        )
        StripeObject.objects.create(kind=StripeKind.METER, key=str(meter.id), stripe_id=made.id, synced_at=at)
    for period in periods:
        customer = client.v1.customers.create({"name": str(period.subscription.account)})
        StripeCustomer.objects.filter(account_id=period.subscription.account_id).update(stripe_id=customer.id)
        StripeSubscription.objects.filter(subscription_id=period.subscription_id).update(customer_id=customer.id)


def read_stripe(simulator, period, *, meter="requests", start=JAN, end=FEB):
    """What the simulator's meter counts of the period's customer, as its summary says it."""
    meter_id = find_meter_id(meters.find_meter(meter).id)
    customer = StripeCustomer.objects.get(pk=period.subscription.account_id).stripe_id
    window = {"customer": customer, "start_time": int(start.timestamp()), "end_time": int(end.timestamp())}
    found = simulator.client().v1.billing.meters.event_summaries.list(meter_id, window)
    return Decimal(str(sum(each.aggregated_value for each in found.data)))


def send_all(at):
    return send_usage(clock=lambda: at, until=at + MINUTE)
