"""A vendor whose customers pay through Stripe: Palier, the simulator, and the events between them."""

from datetime import timedelta

import pytest
from django.test import Client

from billing import invoicing
from billing.models import Invoice, Period, StripeCustomer, StripeInvoice, StripeSubscription
from billing.stripe.catalogue.syncing import sync_catalogue
from billing.stripe.charging import scans
from billing.stripe.customers import MIRROR_CUSTOMER, connect_account, promise_customers
from billing.stripe.inbox.storing import HANDLE_EVENT
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.makers import BASE_FEE, FEB, JAN, make_plan, make_subscription
from tests.simulators import SimulatorClient

HOUR = timedelta(hours=1)
GRACE = FEB + HOUR / 2  # when Palier issues January's invoice


class World:
    """Time stands still but for `go_to`; nothing happens but what a test asks for."""

    def __init__(self, simulator: SimulatorClient) -> None:
        self.simulator = simulator
        self.stripe = simulator.client().v1

    def sign_up(self, key="acme", *, prices=(BASE_FEE,), card="pm_card_visa", plan=None):
        """An account on a plan from January on, and known at Stripe with its card. 49.00 a month, unless told."""
        self.subscription = make_subscription(key, plan=plan or make_plan(prices=prices, limits=()))
        sync_catalogue(JAN)
        self.work(JAN)
        connect_account(self.subscription.account_id, at=JAN)
        promise_customers(JAN)
        self.work(JAN, MIRROR_CUSTOMER)
        if card:
            self.give_card(card)
        self.work(JAN)
        self.tell(JAN)
        assert self.mirror.stripe_id
        return self.subscription

    @property
    def customer(self):
        return StripeCustomer.objects.get(account_id=self.subscription.account_id).stripe_id

    @property
    def mirror(self):
        return StripeSubscription.objects.get(subscription_id=self.subscription.id)

    def give_card(self, card):
        method = self.stripe.payment_methods.attach(card, {"customer": self.customer})
        settings = {"invoice_settings": {"default_payment_method": method.id}}
        self.stripe.customers.update(self.customer, settings)
        StripeCustomer.objects.filter(stripe_id=self.customer).update(
            payment_method_id=method.id, card_brand="visa", card_last4="4242"
        )
        return method.id

    def work(self, at, *kinds):
        """Do what is due, and what that promises; of these kinds alone, where some are told. What failed is raised."""
        done = []
        while True:
            due = Job.objects.filter(state=JobState.QUEUED, run_at__lte=at).exclude(pk__in=done)
            due = due.filter(kind__in=kinds) if kinds else due
            job = due.order_by("pk").first()
            if job is None:
                return
            done.append(job.pk)
            run_job(job.pk, clock=lambda: at)
            job.refresh_from_db()
            assert "Traceback" not in job.error, job.error

    def deliver(self):
        """Stripe's events arrive at our door."""
        for headers, body in self.simulator.take_webhooks():
            signature = headers["Stripe-Signature"]
            answer = Client().post(
                "/stripe/webhook/", body, content_type="application/json", headers={"Stripe-Signature": signature}
            )
            assert answer.status_code == 200

    def tell(self, at):
        """They arrive and are handled."""
        self.deliver()
        Job.objects.filter(kind=HANDLE_EVENT, state=JobState.QUEUED).update(run_at=at)  # our door tells the real time
        self.work(at, HANDLE_EVENT)

    def go_to(self, at):
        if at > self.simulator.now():
            self.simulator.set_time(at)

    def draw(self):
        """January ends: Stripe draws its invoice, and we hold it."""
        self.go_to(FEB)
        self.tell(FEB)

    def issue(self, at=GRACE):
        """Palier's invoice of January."""
        period = Period.objects.get(subscription_id=self.subscription.id, starts_at=JAN)
        return Invoice.objects.get(pk=invoicing.close_period(period.pk, at=at).id)

    def charge(self, at=GRACE):
        """What beat promises is done."""
        self.go_to(at)
        scans.promise_charges(at)
        self.work(at, scans.CHARGE)

    def follow(self, at=GRACE):
        self.go_to(at)
        scans.promise_follows(at)
        self.work(at, scans.FOLLOW)

    def collect(self, at=GRACE + 2 * HOUR):
        """Stripe tries to collect what is open, and tells."""
        self.go_to(at)
        self.tell(at)

    def read(self, row: StripeInvoice | None = None):
        """Stripe's invoice as it is."""
        row = row or StripeInvoice.objects.get()
        return self.stripe.invoices.retrieve(row.stripe_id, {"expand": ["payments"]})

    def pay(self, at=GRACE + 2 * HOUR):
        """The customer brings a card and pays what is open."""
        method = self.give_card("pm_card_visa")
        self.stripe.invoices.pay(StripeInvoice.objects.get().stripe_id, {"payment_method": method})
        self.tell(at)

    def count_calls(self):
        """How often Stripe was asked about invoices, by anybody."""
        calls = self.simulator.limits()["calls"].items()
        return sum(count for name, count in calls if "/v1/invoices" in name)


@pytest.fixture
def world(simulator, settings, db):
    simulator.reset(JAN)
    settings.STRIPE_WEBHOOK_SECRETS = [simulator.webhook_secret]
    return World(simulator)
