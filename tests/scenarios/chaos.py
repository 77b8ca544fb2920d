"""Three months of twenty customers while everything goes wrong: Stripe's answers, its events, our workers.

Whatever a seed throws is a fault that real systems met. In the end all is left alone until it is quiet, and then both
sides have to say the same.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import stripe
import time_machine
from django.db import connection
from django.test import Client

from billing import coupons, lifecycle, seats, switching, tasks, tax_rates
from billing.credits.grants import grant_credit
from billing.models import (
    CouponDuration,
    Invoice,
    InvoiceLine,
    InvoiceState,
    LateSettlement,
    StripeCustomer,
    Subscription,
    SubscriptionState,
)
from billing.plans import find_plan
from billing.rating import TierTerms, flat_fee, graduated, per_unit
from billing.stripe.customers import connect_account
from billing.stripe.inbox.handlers import list_types
from jobs.models import Job, JobState
from jobs.runner import find_claimable, run_job
from metering import corrections, ingest
from metering.ingest import Fate, UsageEvent
from tests.billing.makers import BASE_FEE, JAN, make_meters, make_plan, make_subscription
from tests.billing.stripe.usage.makers import make_level
from tests.simulators import WEBHOOK_URL, SimulatorClient

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = datetime(2026, 4, 1, tzinfo=JAN.tzinfo)
SECRET = "whsec_chaos"
ZONES = ("UTC", "UTC", "UTC", "Europe/Paris")
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_mastercard", "pm_card_chargeCustomerFail", "")
RATES = {
    "drop_before": 0.01,
    "drop_after": 0.02,
    "rate_limit": 0.01,
    "lock_timeout": 0.01,
    "unavailable": 0.01,
    "error": 0.005,
    "error_after": 0.005,
    "wrong_body": 0.002,
}
LIFE = 2_500  # statements, on the average
BEATS = (
    tasks.enqueue_due_periods,
    tasks.settle_late_usage,
    tasks.mirror_to_stripe,
    tasks.tell_usage_to_stripe,
    tasks.charge_through_stripe,
)


class Killed(BaseException):
    """A worker is gone: nothing of it says so, and its lease runs on."""


class Chaos:
    """One seed's history, with `part` of the faults.

    `expected` is what was used, by our own count: (account key, meter) → quantity.
    """

    def __init__(self, simulator: SimulatorClient, seed: int, *, accounts: int = 20, part: float = 1) -> None:
        self.simulator, self.seed, self.size = simulator, seed, accounts
        self.rates = {kind: rate * part for kind, rate in RATES.items()}
        self.dice = random.Random(seed)  # noqa: S311
        self.expected: Counter[tuple[str, str]] = Counter()
        self.sent: list[UsageEvent] = []
        self.waiting: list[bytes] = []
        self.deaths = 0
        self.left: int | None = None  # statements until a worker dies
        self.at = JAN

    # The story

    def live(self) -> None:
        self.simulator.control(
            "POST", "endpoint", url=WEBHOOK_URL, secret=SECRET, enabled_events=list_types(), is_only=True
        )
        self.simulator.settings(after_retries="past_due")  # as docs/stripe.md has it set
        self.sign_up()
        self.simulator.chaos(self.seed, self.rates)
        self.left = self.draw_life()
        for at in self.draw_moments():
            self.go_to(at)
            self.use_and_change()
            self.turn()
        self.settle()

    def draw_moments(self) -> Iterator[datetime]:
        at = JAN + HOUR
        while at < END + 6 * HOUR:
            yield at
            month_end = (at.replace(day=1, hour=0) + 32 * DAY).replace(day=1)
            step = timedelta(hours=self.dice.randint(36, 150))
            near = [month_end + part * HOUR / 2 for part in (0, 1, 3, 4, 9)]
            at = next((each for each in near if at < each < at + step), at + step)

    def settle(self) -> None:
        """Stripe and the workers are well again, and are given days."""
        self.simulator.chaos(self.seed, {})
        self.left = None
        for hours in (1, 2, 6, 12, 24, 24, 24, 48):
            self.go_to(self.at + timedelta(hours=hours))
            self.hear(loss=0)
            tasks.catch_up_with_stripe()
            self.turn()
        tasks.reconcile_with_stripe()
        self.turn()

    def go_to(self, at: datetime) -> None:
        self.at = at
        self.simulator.set_time(at)
        self.traveller.move_to(at)

    def sign_up(self) -> None:
        make_meters()
        level = make_level()
        tiers = (TierTerms(Decimal(50), Decimal("0.02")), TierTerms(None, Decimal("0.0125")))
        requests = graduated("Requests", meter_key="requests", tiers=tiers, included_units=Decimal(10))
        traffic = per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.00031"))
        bounded = replace(traffic, minimum=Decimal(2), cap=Decimal(9))
        by_seat = flat_fee("Seats", Decimal("7.50"), per_seat=True)
        flat = per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.013"))
        make_plan("metered", rank=1, prices=[BASE_FEE, requests, traffic, level], limits=())
        make_plan("mixed", rank=2, prices=[BASE_FEE, by_seat, flat, bounded], limits=(), commitment_minor=60_00)
        capped = replace(flat, cap=Decimal(25))
        make_plan("lined", rank=3, prices=[by_seat, capped, bounded], limits=())
        coupons.create_coupon(code="TENTH", name="Tenth", percent=Decimal(10), duration=CouponDuration.FOREVER)
        vat = tax_rates.create_tax_rate(name="VAT", percent=Decimal("19.6"))
        plans = ("metered", "mixed", "lined")
        for number in range(self.size):
            key = f"customer-{number}"
            zone = self.dice.choice(ZONES)
            made = make_subscription(key, plan=find_plan(plans[number % 3]), time_zone=zone)
            if self.dice.random() < 0.4:
                tax_rates.set_tax_rates(account_id=made.account_id, rate_ids=[vat])
            connect_account(made.account_id, at=JAN)
        tasks.sync_stripe_catalogue()
        for _ in range(3):
            self.turn()
        cards = self.simulator.client().v1
        for customer in StripeCustomer.objects.order_by("pk"):
            assert customer.stripe_id
            card = self.dice.choice(CARDS)
            if card:
                method = cards.payment_methods.attach(card, {"customer": customer.stripe_id})
                cards.customers.update(customer.stripe_id, {"invoice_settings": {"default_payment_method": method.id}})
        self.turn()

    # What customers do

    def use_and_change(self) -> None:
        for subscription in Subscription.objects.select_related("account", "version").order_by("pk"):
            if subscription.state == SubscriptionState.ACTIVE and self.dice.random() < 0.6:
                self.use(subscription)
            if self.dice.random() < 0.03:
                with suppress(ValueError):
                    self.change(subscription)

    def use(self, subscription: Subscription) -> None:
        """Up to now, and not now: what is used in the moment of a pause, or of the end, is billed to nobody."""
        period = subscription.periods.filter(starts_at__lte=self.at, ends_at__gt=self.at, ends_at__lte=END).first()
        if period is None:
            return
        first = period.starts_at
        if self.dice.random() < 0.15:  # late: of a time whose invoice may be out
            earlier = subscription.periods.filter(ends_at=period.starts_at, version=period.version_id).first()
            first = earlier.ends_at - 3 * DAY if earlier and earlier.ends_at - earlier.starts_at > 3 * DAY else first
        if first == self.at:
            return
        key = subscription.account.key
        events = [self.make_event(key, first) for _ in range(self.dice.randint(1, 6))]
        fates = ingest.ingest_events(events, at=self.at)
        assert {fate.fate for fate in fates} <= {Fate.ACCEPTED, Fate.LATE}, fates
        for event in events:
            self.sent.append(event)
            self.count(event, 1)
        if self.dice.random() < 0.2:
            again = ingest.ingest_events(events, at=self.at)
            assert {fate.fate for fate in again} == {Fate.DUPLICATE}
        if self.dice.random() < 0.1:
            gone = self.sent.pop(self.dice.randrange(len(self.sent)))
            corrections.retract_event(gone.source, gone.id, reason="counted by mistake", made_by="test", at=self.at)
            self.count(gone, -1)

    def make_event(self, key: str, first: datetime) -> UsageEvent:
        time = first + (self.at - first) / 10_000 * self.dice.randrange(10_000)
        kind, data = "web.request", {"bytes": self.dice.choice([1, 333, 12_345, 999_999])}
        if self.dice.random() < 0.2:
            kind, data = "seats.set", {"count": self.dice.randint(1, 9)}
        name = f"event-{self.seed}-{len(self.sent)}-{self.dice.random()}"
        return UsageEvent(source="chaos", id=name, type=kind, subject=key, time=time, data=data)

    def count(self, event: UsageEvent, sign: int) -> None:
        if event.type == "web.request":
            self.expected[event.subject, "requests"] += sign
            self.expected[event.subject, "bandwidth"] += sign * event.data["bytes"]

    def change(self, subscription: Subscription) -> None:
        pk, account_id, at = subscription.pk, subscription.account_id, self.at
        choices: list[Callable[[], Any]] = [
            lambda: switching.change_plan(pk, self.dice.choice(["metered", "mixed", "lined"]), at=at),
            lambda: switching.schedule_change(pk, self.dice.choice(["metered", "mixed", "lined"]), at=at),
            lambda: lifecycle.pause(pk, at=at),
            lambda: lifecycle.resume(pk, at=at),
            lambda: lifecycle.resume(pk, at=at),
            lambda: lifecycle.cancel_at_end(pk, at=at),
            lambda: lifecycle.undo_cancel(pk, at=at),
            lambda: lifecycle.cancel(pk, at=at) if self.dice.random() < 0.3 else None,
            lambda: seats.change_quantity(pk, self.dice.randint(1, 5), at=at),
            lambda: grant_credit(
                account_id=account_id, currency="EUR", amount_minor=self.dice.randint(1, 9_000), at=at
            ),
            lambda: coupons.apply_coupon(code="TENTH", account_id=account_id, at=at),
        ]
        self.dice.choice(choices)()

    # What machines do

    def turn(self) -> None:
        """What beat starts, Stripe tells and workers do at one moment; what is left over is done at the next."""
        self.hear(loss=0.1)
        for beat in BEATS:
            self.try_to(beat)
        self.work()

    def work(self) -> None:
        for _ in range(20):
            due = Job.objects.filter(find_claimable(self.at)).order_by("pk")
            pks = list(due.values_list("pk", flat=True))
            if not pks:
                return
            for pk in pks:
                self.try_to(lambda: run_job(pk, clock=lambda: self.at))  # noqa: B023 - called at once
        raise AssertionError("jobs are promised for ever")

    def hear(self, *, loss: float) -> None:
        """Stripe's events: some fail and come again by Stripe's clock, some come twice, and none in order."""
        if self.dice.random() < loss:
            self.simulator.take_webhooks(fail=True)
            return
        waiting = self.waiting + [body for _headers, body in self.simulator.take_webhooks()]
        self.dice.shuffle(waiting)
        self.waiting = [body for body in waiting if not self.hear_one(body)]

    def hear_one(self, body: bytes) -> bool:
        """Whether it was acknowledged, at last."""
        times = 1 + (self.dice.random() < 0.1)
        return [self.try_to(lambda: self.tell(body)) for _ in range(times)][-1]

    def tell(self, body: bytes) -> None:
        signature = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, int(self.at.timestamp()))
        told = Client().post(
            "/stripe/webhook/", body, content_type="application/json", headers={"Stripe-Signature": signature}
        )
        assert told.status_code == 200, told.content

    def try_to(self, act: Callable[[], Any]) -> bool:
        """Whether it came to its end."""
        with suppress(Killed), connection.execute_wrapper(self.throw):
            act()
            return True
        return False

    def throw(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.deaths, self.left = self.deaths + 1, self.draw_life()
                raise Killed
        return execute(sql, params, many, context)

    def draw_life(self) -> int:
        """How many statements until the next death: drawn so, each history has some."""
        return self.dice.randrange(2 * LIFE)

    @contextmanager
    def travel(self) -> Iterator[None]:
        with time_machine.travel(JAN, tick=False) as self.traveller:
            yield

    # What has to be so

    def sum_ours(self) -> Counter[str]:
        """Stripe's customer → what Palier's invoices ask."""
        names = dict(StripeCustomer.objects.values_list("account_id", "stripe_id"))
        sums: Counter[str] = Counter()
        for row in Invoice.objects.exclude(state__in=[InvoiceState.DRAFT, InvoiceState.VOID]):
            sums[names[row.account_id]] += row.due_minor
        return sums

    def sum_theirs(self) -> Counter[str]:
        """Stripe's customer → what Stripe's invoices ask, without what was asked too much and given back."""
        sums: Counter[str] = Counter()
        for each in self.list_theirs():
            given_back = each.pre_payment_credit_notes_amount + each.post_payment_credit_notes_amount
            sums[each.customer] += each.total - given_back
        return sums

    def list_theirs(self) -> list[Any]:
        pages = self.simulator.client().v1.invoices.list({"limit": 100}).auto_paging_iter()
        return [each for each in pages if each.status != "void"]

    def sum_billed(self) -> Counter[tuple[str, str]]:
        """(account key, meter) → what invoices bill, with what was settled after them."""
        sums: Counter[tuple[str, str]] = Counter()
        lines = InvoiceLine.objects.filter(meter__isnull=False, kind="price").exclude(
            invoice__state__in=[InvoiceState.DRAFT, InvoiceState.VOID]
        )
        for line in lines.select_related("invoice__account", "meter"):
            sums[line.invoice.account.key, line.meter.key] += line.quantity
        settled = LateSettlement.objects.select_related("invoice_line__invoice__account", "invoice_line__meter")
        for each in settled:
            if each.invoice_line and each.invoice_line.meter:  # none of a commitment
                name = each.invoice_line.invoice.account.key, each.invoice_line.meter.key
                sums[name] += each.quantity - each.quantity_before
        return Counter({name: value for name, value in sums.items() if value and name[1] != "seats"})

    def sum_used(self) -> Counter[tuple[str, str]]:
        """The same by our own count."""
        return Counter({name: Decimal(value) for name, value in self.expected.items() if value})

    def list_doubles(self) -> list[str]:
        """What of ours Stripe has more than once."""
        client = self.simulator.client().v1
        names: Counter[str] = Counter()
        names.update(
            f"customer {each.metadata['palier_account']}" for each in client.customers.list().auto_paging_iter()
        )
        names.update(
            f"stretch {each.metadata['palier_stretch']}"
            for each in client.subscriptions.list({"status": "all"}).auto_paging_iter()
        )
        for each in self.list_theirs():
            if "palier_invoice" in each.metadata:
                names[f"invoice {each.metadata['palier_invoice']}"] += 1
            keys = [line.metadata["palier_line"] for line in each.lines.data if "palier_line" in line.metadata]
            names.update(f"line {each.id} {key}" for key in keys)
        return [name for name, count in names.items() if count > 1]

    def list_dead(self) -> list[str]:
        return [f"{job}: {job.error[-300:]}" for job in Job.objects.filter(state=JobState.DEAD)]
