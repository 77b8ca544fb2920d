"""The month of 1,000 accounts, charged through the local Stripe: a fee, a metered price, credit for a third of them.

Value: invoices a second over one worker, from Stripe's drafts to paid: held, read, filled, compared, finalised, and
read again once they are paid; Palier's own run is `billing_run`. Floor: Stripe's bare client reading as many invoices
as often from the same simulator, with no row stored. The simulator counts the calls.
"""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bench.figures import Figure, at_least, at_most, seconds

ACCOUNTS = 1_000
MOST_CALLS = 5
OF_FLOOR = 0.04
JAN, FEB = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
ISSUED, PAID = FEB + timedelta(minutes=30), FEB + timedelta(hours=2)
CREDITED = 3  # every third account has credit
WEBHOOKS = "https://palier.test/stripe/webhook/"  # not loopback: they wait to be taken


def run() -> Iterator[Figure]:
    with run_simulator() as simulator:
        open_accounts()
        simulator.reach(FEB)
        began = simulator.count_calls()
        took = seconds(lambda: hear(simulator, FEB))
        close_month()
        took += seconds(lambda: charge(ISSUED))
        simulator.reach(PAID)
        took += seconds(lambda: hear(simulator, PAID))
        calls = simulator.count_calls() - began
        require_paid()
        floor = ACCOUNTS / seconds(read_often)
        rate = ACCOUNTS / took
        yield at_most(
            "Stripe close, calls an invoice", values=[calls / ACCOUNTS], floors=[MOST_CALLS], unit="", target=1
        )
        yield at_least("Stripe close, 1,000 accounts", values=[rate], floors=[floor], unit="1/s", target=OF_FLOOR)


class Simulator:
    """The local Stripe in a process of its own, and its control API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control("POST", "reset", now=int(JAN.timestamp()))
        self.secret = self.control("POST", "endpoint", url=WEBHOOKS)["secret"]

    def control(self, method: str, name: str, **params: Any) -> Any:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=600)
        connection.request(method, f"/_sim/{name}", json.dumps(params), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def reach(self, at: datetime) -> None:
        self.control("POST", "clock", now=int(at.timestamp()))

    def count_calls(self) -> int:
        """About invoices."""
        calls: dict[str, int] = self.control("GET", "limits")["calls"]
        return sum(count for name, count in calls.items() if "/v1/invoices" in name)


@contextmanager
def run_simulator() -> Iterator[Simulator]:
    from django.conf import settings

    command = [sys.executable, "-m", "stripe_simulator", "--port", "0", "--clock", "frozen"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the checker
            simulator = Simulator(process.stdout.readline().split()[-1])
            settings.STRIPE_SECRET_KEY = "sk_test_bench"  # noqa: S105 - a name
            settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = simulator.url
            settings.STRIPE_WEBHOOK_SECRETS = [simulator.secret]
            settings.ALLOWED_HOSTS = ["testserver"]
            yield simulator
        finally:
            process.terminate()


def open_accounts() -> None:
    """Subscribers with a card from January on, who are in Stripe with all that they used."""
    from billing.credits.grants import top_up
    from billing.models import StripeCustomer
    from billing.plans import create_plan
    from billing.rating import flat_fee, per_unit
    from billing.stripe.catalogue.syncing import sync_catalogue
    from billing.stripe.client import get_client
    from billing.stripe.customers import MIRROR_CUSTOMER, connect_account
    from billing.subscriptions import create_subscriptions
    from metering.accounts import create_accounts
    from metering.meters import create_meter

    ids = create_accounts(((f"cus_{n:06d}", f"Customer {n}") for n in range(ACCOUNTS)), at=JAN)
    create_meter(key="requests", name="Requests", event_type="call", unit="request", at=JAN)
    prices = [
        flat_fee("Base fee", Decimal(49)),
        per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.05")),
    ]
    create_plan(slug="growth", name="Growth", rank=1, currency="EUR", prices=prices, at=JAN)
    create_subscriptions(account_ids=ids.values(), plan_slug="growth", started_at=JAN, at=JAN)
    sync_catalogue(JAN)
    work(JAN)
    for place, account_id in enumerate(ids.values()):
        connect_account(account_id, at=JAN)
        if place % CREDITED == 0:
            top_up(account_id=account_id, currency="EUR", amount_minor=1_000, key="prepaid", at=JAN)
    work(JAN, MIRROR_CUSTOMER)
    client = get_client().v1
    for customer in StripeCustomer.objects.exclude(stripe_id=None):
        method = client.payment_methods.attach("pm_card_visa", {"customer": str(customer.stripe_id)})
        default = {"invoice_settings": {"default_payment_method": method.id}}
        client.customers.update(str(customer.stripe_id), default)  # type: ignore[arg-type]
        customer.payment_method_id, customer.card_brand, customer.card_last4 = method.id, "visa", "4242"
        customer.save()
    work(JAN)
    use()


def use() -> None:
    """Four calls of each account."""
    from metering.events import UsageEvent
    from metering.ingest import ingest_events

    time = JAN + timedelta(days=10)
    for first in range(0, ACCOUNTS, 250):
        names = [f"cus_{n:06d}" for n in range(first, min(first + 250, ACCOUNTS))] * 4
        events = [
            UsageEvent(source="bench", id=f"{first}-{n}", type="call", subject=name, time=time, data={})
            for n, name in enumerate(names)
        ]
        ingest_events(events, at=time)


def work(at: datetime, *kinds: str) -> None:
    """One worker does what is due, oldest first."""
    from jobs.models import Job, JobState
    from jobs.runner import run_job

    while True:
        due = Job.objects.filter(state=JobState.QUEUED, run_at__lte=at, attempts=0)
        ids = list((due.filter(kind__in=kinds) if kinds else due).order_by("pk").values_list("pk", flat=True))
        if not ids:
            return
        for pk in ids:
            run_job(pk, clock=lambda: at)


def hear(simulator: Simulator, at: datetime) -> None:
    """Stripe's events arrive, and those that we asked for are handled."""
    from django.test import Client

    from billing.stripe.inbox.handlers import list_types
    from billing.stripe.inbox.storing import HANDLE_EVENT
    from jobs.models import Job

    client, types = Client(), {"invoice.created", "invoice.paid"} & set(list_types())
    for row in simulator.control("POST", "webhooks/take"):
        if json.loads(row["body"])["type"] in types:
            signature = {"Stripe-Signature": row["headers"]["Stripe-Signature"]}
            client.post("/stripe/webhook/", row["body"], content_type="application/json", headers=signature)
    Job.objects.filter(kind=HANDLE_EVENT, state="queued").update(run_at=at)
    work(at, HANDLE_EVENT)


def close_month() -> None:
    """Palier's invoices, and Stripe's meters brought to them; measured by others."""
    from billing.closing import close_periods
    from billing.models import Period
    from billing.stripe.usage.flushing import flush_period

    ids = list(Period.objects.filter(starts_at=JAN).order_by("pk").values_list("pk", flat=True))
    close_periods(ids, at=ISSUED)
    for pk in ids:
        flush_period(pk, ISSUED)


def charge(at: datetime) -> None:
    from billing.stripe.charging.scans import CHARGE, promise_charges

    promise_charges(at)
    work(at, CHARGE)


def require_paid() -> None:
    from billing.models import Invoice, StripeInvoice
    from jobs.models import Job

    states = set(Invoice.objects.values_list("state", flat=True))
    steps = set(StripeInvoice.objects.values_list("role", "step", "state"))
    if states != {"paid"} or steps != {("cycle", "finalised", "paid")} or StripeInvoice.objects.count() != ACCOUNTS:
        why = set(Job.objects.exclude(error="").values_list("kind", "error"))
        raise RuntimeError(f"not all were paid: {states}, {steps}, {why}")


def read_often() -> None:
    """Each invoice by the bare client, as often as a close may call."""
    from billing.models import StripeInvoice
    from billing.stripe.client import get_client

    client = get_client().v1
    for stripe_id in StripeInvoice.objects.values_list("stripe_id", flat=True):
        for _ in range(MOST_CALLS):
            client.invoices.retrieve(stripe_id)
