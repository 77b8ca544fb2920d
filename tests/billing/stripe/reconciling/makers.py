"""An invoice of January whose requests Stripe's meters charge, with what Stripe was told and what it asks."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from billing import invoicing
from billing.models import (
    Invoice,
    Period,
    Price,
    StripeCustomer,
    StripeInvoice,
    StripeMeterEvent,
    StripeMode,
    StripeTally,
)
from billing.rating import per_unit
from metering import meters
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_meters, make_plan, make_subscription, use

REQUESTS = per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.02"))
DAY = timedelta(days=1)
AT = FEB + 2 * DAY


@dataclass(frozen=True, slots=True)
class Charged:
    invoice: Invoice
    period: Period
    meter_id: int

    @property
    def about(self) -> str:
        return f"{self.period.pk}/{self.meter_id}"


def make_charged(key="acme", *, requests=5, plan=None, currency="EUR"):
    """Usage of January at 0.02 each, billed on 1 February; nothing was told to Stripe yet."""
    if not Price.objects.exists():
        make_meters()
    plan = plan or make_plan("metered", currency=currency, prices=[REQUESTS], limits=())
    subscription = make_subscription(key, plan=plan)
    period = Period.objects.get(subscription__account__key=key)
    StripeCustomer.objects.create(account_id=subscription.account_id, stripe_id=f"cus_{key}", asked_at=JAN)
    use(key, sizes=[1] * requests, time=MID_JAN)
    invoice = Invoice.objects.get(pk=invoicing.close_period(period.pk, at=FEB + 2 * HOUR).id)
    period.refresh_from_db()
    return Charged(invoice, period, meters.find_meter("requests").id)


def tell_usage(charged, *values, **terms):
    """The meter's events, an hour each, of which Stripe accepted all but where told otherwise."""
    account_id, customer = charged.invoice.account_id, f"cus_{charged.invoice.account.key}"
    for price in Price.objects.filter(version=charged.period.version, meter=charged.meter_id):
        StripeMode.objects.get_or_create(
            period=charged.period,
            price=price,
            defaults={"mode": "meters", "ends_at": charged.period.ends_at, "decided_at": JAN},
        )
    StripeTally.objects.get_or_create(
        period=charged.period,
        meter_id=charged.meter_id,
        defaults={
            "account_id": account_id,
            "formula": "sum",
            "event_name": "palier_requests",
            "customer_id": customer,
            "queued": sum(values),
            "collected_until": charged.period.ends_at,
        },
    )
    for number, value in enumerate(values):
        start = MID_JAN + (number + StripeMeterEvent.objects.count()) * HOUR
        StripeMeterEvent.objects.create(
            **{
                "period": charged.period,
                "meter_id": charged.meter_id,
                "account_id": account_id,
                "starts_at": start,
                "ends_at": start + HOUR,
                "timestamp": start,
                "value": Decimal(value),
                "identifier": f"{customer} {start:%d %H}",
                "event_name": "palier_requests",
                "customer_id": customer,
                "formula": "sum",
                "state": "accepted",
                "accepted_at": FEB,
                "due_at": FEB,
                "created_at": FEB,
            }
            | terms
        )


def ask(charged, total_minor, **terms):
    """What Stripe asks, finalised."""
    return StripeInvoice.objects.create(
        **{
            "account_id": charged.invoice.account_id,
            "role": "cycle",
            "invoice": charged.invoice,
            "period": charged.period,
            "stripe_id": f"in_{charged.invoice.pk}",
            "currency": charged.invoice.currency,
            "state": "open",
            "step": "finalised",
            "total_minor": total_minor,
            "created_at": FEB,
            "read_at": FEB + 3 * HOUR,
            "finalised_at": FEB + 3 * HOUR,
        }
        | terms
    )
