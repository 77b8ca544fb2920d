"""What the tests of Stripe's room are made of: connected accounts, cards, and subscriptions that are mirrored."""

import http.client
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from billing import lifecycle
from billing.models import StripeCustomer
from billing.plans import PlanTerms
from billing.rating import flat_fee
from billing.stripe.catalogue.syncing import sync_catalogue
from billing.stripe.customers import connect_account, promise_customers
from billing.stripe.mirroring.customers import look_at_customer
from billing.stripe.mirroring.promising import promise_moved
from billing.subscriptions import SubscriptionFact, open_next_periods
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.makers import make_plan, make_subscription
from tests.simulators import SimulatorClient

NOV_10 = datetime(2026, 11, 10, 9, tzinfo=UTC)
NOV, DEC, JAN = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def run_promised(at: datetime, *kinds: str) -> list[str]:
    """Do what is promised of these kinds (all of Stripe's if none), as a worker would at that time; the states left."""
    states = []
    for _ in range(20):
        due = Job.objects.filter(state=JobState.QUEUED, run_at__lte=at).order_by("pk")
        due = due.filter(kind__in=kinds) if kinds else due.filter(kind__startswith="stripe")
        pks = list(due.values_list("pk", flat=True))
        if not pks:
            return states
        states += [str(run_job(pk, clock=lambda: at)) for pk in pks]
    raise AssertionError("jobs are promised for ever")


def mirror_all(at: datetime) -> list[str]:
    """What beat and the workers do of customers and subscriptions at that time."""
    promise_customers(at)
    states = run_promised(at)
    promise_moved(at)
    return states + run_promised(at)


def connect(account_id: int, *, at: datetime) -> str:
    """The account's customer in the simulator."""
    connect_account(account_id, at=at)
    mirror_all(at)
    return str(StripeCustomer.objects.get(pk=account_id).stripe_id)


def keep_card(simulator: SimulatorClient, account_id: int, *, at: datetime, card: str = "pm_card_visa") -> str:
    """A card that the customer entered somewhere at Stripe, and that is their default; known to Palier as well."""
    client, customer = simulator.client(), StripeCustomer.objects.get(pk=account_id).stripe_id
    method = client.v1.payment_methods.attach(card, {"customer": str(customer)})
    settings: Any = {"invoice_settings": {"default_payment_method": method.id}}
    client.v1.customers.update(str(customer), settings)
    look_at_customer(account_id, at=at)
    return method.id


def make_mirrored(
    simulator: SimulatorClient,
    key: str = "acme",
    *,
    plan: PlanTerms | None = None,
    started_at: datetime = NOV_10,
    time_zone: str = "UTC",
) -> SubscriptionFact:
    """An account on a published plan, connected, with the plan and the subscription in the simulator."""
    subscription = make_subscription(key, plan=plan, started_at=started_at, time_zone=time_zone)
    simulator.set_time(started_at)
    tell_catalogue(started_at)
    connect(subscription.account_id, at=started_at)
    return subscription


def tell_catalogue(at: datetime) -> None:
    sync_catalogue(at)
    run_promised(at)


def list_subscriptions(simulator: SimulatorClient) -> list[Any]:
    """All that the simulator has, the oldest first, also ended ones."""
    found = simulator.client().v1.subscriptions.list({"status": "all", "limit": 100})
    return list(reversed(found.data))


def pass_time(simulator: SimulatorClient, at: datetime) -> None:
    """Stripe's clock and ours come to that moment: periods open, and what moved is mirrored."""
    simulator.set_time(at)
    lifecycle.settle_due(at)
    open_next_periods(at)
    mirror_all(at)


def make_free(key: str = "acme") -> SubscriptionFact:
    """An account on a plan that asks nothing, beside a larger one on offer; nothing of it is in Stripe yet."""
    free = make_plan("free", prices=[flat_fee("Free", Decimal(0))], limits=[])
    make_plan("team")
    return make_subscription(key, plan=free, started_at=NOV_10)


def enter_card(url: str, number: str = "4242424242424242") -> str:
    """What a visitor of Stripe's page types; where they are sent then, empty where they stay."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    form = urlencode({"number": number, "expiry": "12 / 34", "cvc": "123", "name": "Olivia"})
    try:
        connection.request("POST", parts.path, form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.headers.get("Location") or ""
