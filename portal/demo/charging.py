"""The chapter of money: usage → meter events → invoice → card → paid, on the local Stripe, over HTTP as anybody would.

A customer who pays by the week, and whose week is over when the rest of the story is told: nobody's clock is moved.
"""

import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from celery import current_app
from django.conf import settings
from django.utils import timezone

from billing.invoicing import InvoiceFact, list_invoices
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms, create_plan, find_plan, list_plans, retire_version
from billing.rating import flat_fee, per_unit
from billing.stripe.catalogue.lookup import NotInStripe, find_version_prices
from billing.stripe.customers import connect_account, read_customer
from billing.stripe.gateway import read
from billing.stripe.reconciling.running import reconcile
from billing.subscriptions import create_subscriptions, open_next_periods, read_subscription
from metering.accounts import create_accounts
from metering.importers import AccessLog, ImportReport, import_usage
from portal.demo.catalogue import BANDWIDTH, EURO_PER_BYTE, REQUESTS
from portal.demo.facts import Fact, wait_until
from portal.demo.log import Request, find_shift, read_requests, write_lines_of
from portal.demo.people import PAYER, PAYER_EMAIL, seed_owner

CLIENT = "130.237.218.86"  # whose lines of the log are the customer's
PLAN = "weekly"
CARD = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Farid"}
SOURCE = "access-log:payer"
INCLUDED = 100
WEEK, SECOND = timedelta(weeks=1), timedelta(seconds=1)
MINUTE = 60  # seconds, by which Stripe sums
SHORTEST, LONGEST = timedelta(seconds=20), timedelta(seconds=90)  # from the beginning of the story to the week's end


def is_local() -> bool:
    """Whether Stripe is a simulator of this machine."""
    return bool(settings.STRIPE_SECRET_KEY) and urlsplit(settings.STRIPE_API_BASE).hostname == "127.0.0.1"


class Charging:
    """`begin` before the rest of the story and `tell` after it. Told again they find everything done."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = [request for request in requests if request.client == CLIENT]

    def begin(self) -> None:
        """Make the customer, tell Stripe of the plan and the subscription, and use what is to be paid."""
        began = timezone.now()
        self.account_id = create_accounts([(PAYER, "Northwind Traders")], at=began)[PAYER]
        seed_owner(PAYER, PAYER_EMAIL, name="Farid")
        if read_subscription(account_id=self.account_id, at=began) is None:
            seed_weekly_plan(at=began)
            self.subscribe(began)
        self.report = self.import_requests()

    def subscribe(self, began: datetime) -> None:
        """The week ends when the rest of the story is told: in the longer, the slower this machine is."""
        current_app.send_task("billing.tasks.sync_stripe_catalogue")
        wait_until(self.is_plan_told)
        took = timezone.now() - began
        ends_at = (timezone.now() + min(max(3 * took, SHORTEST), LONGEST)).replace(microsecond=0)
        at = timezone.now()
        create_subscriptions(account_ids=[self.account_id], plan_slug=PLAN, started_at=ends_at - WEEK, at=at)
        open_next_periods(at)
        connect_account(self.account_id, at=at)
        wait_until(lambda: self.customer_id)
        current_app.send_task("billing.tasks.mirror_to_stripe")
        wait_until(self.list_subscriptions)
        retire_version(find_plan(PLAN, at=at).version_id, at=timezone.now())  # offered to this customer alone

    def import_requests(self) -> ImportReport:
        copy = Path(settings.VAR_DIR) / "demo" / "payer.log"
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_lines_of({CLIENT: PAYER}, copy)
        at = timezone.now()
        return import_usage(
            copy, format=AccessLog(), at=at, source=SOURCE, shift=find_shift(read_requests(copy), end=at - SECOND)
        )

    def tell(self) -> Iterator[Fact]:
        self.wait_for_end()
        yield from self.ask()
        yield from self.meter()
        yield from self.pay()

    @cached_property
    def week(self) -> tuple[datetime, datetime]:
        """The first of the subscription."""
        known = read_subscription(account_id=self.account_id, at=timezone.now())
        start = known.started_at if known else timezone.now()
        return start, start + WEEK

    def wait_for_end(self) -> None:
        _start, end = self.week
        time.sleep(max(0, (end + 2 * SECOND - timezone.now()).total_seconds()))

    @property
    def invoice(self) -> InvoiceFact | None:
        start, _end = self.week
        return next((each for each in list_invoices(account_id=self.account_id) if each.period_start == start), None)

    @property
    def expected(self) -> Counter[str]:
        return Counter({REQUESTS: len(self.requests), BANDWIDTH: sum(request.bytes for request in self.requests)})

    def ask(self) -> Iterator[Fact]:
        if self.invoice is None:
            current_app.send_task("billing.tasks.enqueue_due_periods")
            wait_until(lambda: self.invoice)
        if self.invoice is not None and self.invoice.state != "paid":
            current_app.send_task("billing.tasks.charge_through_stripe")
            wait_until(lambda: self.theirs.get("status", "draft") != "draft")
        expected = price_weekly_plan(self.expected[REQUESTS], self.expected[BANDWIDTH])
        yield Fact(
            "charged", "requests of a customer who pays by the week", self.report.file_accepted, len(self.requests)
        )
        yield Fact("charged", "the week's invoice, in cents", self.invoice and self.invoice.due_minor, expected)
        yield Fact("charged", "what Stripe asks, in cents", self.theirs.get("total"), expected)

    def meter(self) -> Iterator[Fact]:
        """What Stripe's meters were told, hour by hour, by the time the invoice was final."""
        sums = self.sum_events()
        for meter in (REQUESTS, BANDWIDTH):
            yield Fact("charged", f"Stripe's meter of {meter}", sums[meter], self.expected[meter])

    def pay(self) -> Iterator[Fact]:
        """On Stripe's page of the invoice, with a test card."""
        if self.theirs.get("status") == "open":
            send(self.theirs["hosted_invoice_url"], urlencode(CARD).encode())
        wait_until(lambda: self.invoice and self.invoice.state == "paid")
        yield Fact(
            "paid", "by card on Stripe's page, in cents", self.theirs.get("amount_paid"), self.theirs.get("total")
        )
        yield Fact("paid", "told by a webhook", self.invoice and self.invoice.state, "paid")
        yield Fact("paid", "differences between Palier and Stripe", len(reconcile(timezone.now()).open), 0)

    def is_plan_told(self) -> bool:
        """Whether Stripe has all prices of the plan."""
        try:
            find_version_prices(find_plan(PLAN, at=timezone.now()).version_id)
        except NotInStripe:
            return False
        return True

    @property
    def customer_id(self) -> str:
        customer = read_customer(self.account_id)
        return customer.stripe_id if customer else ""

    @property
    def theirs(self) -> dict[str, Any]:
        """Stripe's invoice of the week, by what it says itself."""
        start, _end = self.week
        found = read(lambda client: client.v1.invoices.list({"customer": self.customer_id}), at=timezone.now())
        bodies = [each.to_dict() for each in found.data]
        return next((each for each in bodies if each["period_start"] == int(start.timestamp())), {})

    def list_subscriptions(self) -> list[Any]:
        if not self.customer_id:
            return []
        return read(lambda client: client.v1.subscriptions.list({"customer": self.customer_id}), at=timezone.now()).data

    def sum_events(self) -> Counter[str]:
        """Meter → what Stripe's meter counts of the week."""
        start, end = (int(each.timestamp()) // MINUTE * MINUTE for each in self.week)
        sums: Counter[str] = Counter()
        for meter in read(lambda client: client.v1.billing.meters.list({"limit": 100}), at=timezone.now()).data:
            summaries = read(
                lambda client, meter_id=meter.id: client.v1.billing.meters.event_summaries.list(  # type: ignore[misc]
                    meter_id, {"customer": self.customer_id, "start_time": start, "end_time": end + MINUTE}
                ),
                at=timezone.now(),
            )
            name = next((each for each in (REQUESTS, BANDWIDTH) if each in meter.event_name), meter.event_name)
            sums[name] += sum(int(each.aggregated_value) for each in summaries.data)
        return sums


def seed_weekly_plan(*, at: datetime) -> None:
    """A fee, a price by request after the included ones, one by byte; billed at once when the week is over."""
    if PLAN in {plan.slug for plan in list_plans(at=at)}:
        return
    create_plan(
        slug=PLAN,
        name="Weekly",
        rank=100,
        currency="EUR",
        prices=[
            flat_fee("Weekly plan", Decimal(9)),
            per_unit("Requests", meter_key=REQUESTS, unit_amount=Decimal("0.01"), included_units=Decimal(INCLUDED)),
            per_unit("Bandwidth", meter_key=BANDWIDTH, unit_amount=EURO_PER_BYTE),
        ],
        periods=PeriodTerms(Interval.WEEK, Anchoring.ANNIVERSARY, grace_hours=0),
        at=at,
    )


def price_weekly_plan(requests: int, size: int) -> int:
    """Cents, by whole numbers only: 9.00, then 0.01 a request after the included ones, and 0.00000005 a byte."""
    return 9_00 + max(0, requests - INCLUDED) + (size * 5 + 500_000) // 1_000_000


def send(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body)  # noqa: S310 - on this machine
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - on this machine
