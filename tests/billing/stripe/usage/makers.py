"""A customer whose subscription is in Stripe, as far as our own rows say so."""

from datetime import timedelta

from billing.models import Period, Price, StripeCustomer, StripeSubscription
from billing.rating import graduated, per_unit
from metering import meters
from tests.billing.makers import BANDWIDTH, BASE_FEE, FEB, JAN, REQUEST_TIERS, make_meters, make_plan, make_subscription

MINUTE = timedelta(minutes=1)
SEEN = timedelta(minutes=5)  # after its end an hour is collected

__all__ = ["BANDWIDTH", "BASE_FEE", "FEB", "JAN", "MINUTE", "SEEN", "connect", "make_connected", "make_level"]


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
