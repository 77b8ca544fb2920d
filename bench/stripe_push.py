"""Usage of 10,000 accounts × 3 meters × 1 hour told to the Stripe simulator, at the pace of Stripe's documented limits.

Value: seconds from the first claim of what is queued to the last event's acceptance, over one process and over two, as
so many workers send. Floor: what the limit itself allows, events ÷ rate (v1: 1,000 calls a second, the stream 10,000
events). Collecting from rollups, which no limit of Stripe's holds and which goes on beside the sending, is a figure of
its own, beside what v1 takes. The simulator is a process of its own, enforces the limits and counts violations: any is
a figure that does not hold; nor may an event be missing among what is accepted here, or in a sample of its summaries.

And what the official client costs, which no change of ours makes less: a call of it beside the same bytes over a bare
connection, and as many calls as there are events by two processes that do nothing else, beside the limit.
"""

import http.client
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from bench.figures import Figure, at_most, seconds

ACCOUNTS = int(os.environ.get("BENCH_STRIPE_ACCOUNTS", "10000"))
METERS = ["requests", "bandwidth", "storage"]
EVENTS = ACCOUNTS * len(METERS)
RATES = {"v1": 1_000, "stream": 10_000}  # what Stripe allows, in calls and in events
STREAMED = 100  # events a call
ROUNDS = [("v1", 2), ("stream", 1), ("stream", 2)]  # and how many processes send
KEY = "sk_test_bench"
CALLS = 300
CALLS_ALONE = 1_500  # of each of two processes
SAMPLE = 50  # customers

FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total)
    SELECT a.id, m.id, %(hour)s, '', 1, 1 + (a.id + m.id) %% 500 FROM metering_account a CROSS JOIN metering_meter m
"""
FILL_TOTALS = """
    UPDATE metering_limit l SET used = used + 1 + (l.account_id + l.meter_id) %% 500
    WHERE l.starts_at <= %(hour)s AND l.ends_at > %(hour)s
"""


def run() -> Iterator[Figure]:
    with run_simulator() as url:
        point_django(url)
        make_ground(url)
        hour = floor_hour(datetime.now(UTC)) - timedelta(hours=5)
        for number, (api, senders) in enumerate(ROUNDS):
            yield from measure(api, url, hour + timedelta(hours=number), senders=senders)
        yield measure_client(url)
        yield measure_client_alone(url)


def floor_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


@contextmanager
def run_simulator() -> Iterator[str]:
    command = [sys.executable, "-m", "stripe_simulator", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(20)


def point_django(url: str) -> None:
    from django.conf import settings

    settings.STRIPE_SECRET_KEY = KEY
    settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = url


def control(url: str, method: str, name: str, **params: Any) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, f"/_sim/{name}", json.dumps(params), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def make_ground(url: str) -> None:
    """Subscribers whose subscriptions are in Stripe, with its customers and meters; no usage yet."""
    from billing.models import Period, Price, StripeCustomer, StripeKind, StripeObject, StripeSubscription
    from billing.plans import create_plan
    from billing.rating import flat_fee, per_unit
    from billing.stripe.client import get_client
    from billing.subscriptions import create_subscriptions
    from metering.accounts import create_accounts
    from metering.meters import create_meter

    now = datetime.now(UTC)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    made_accounts = create_accounts(((f"cus_{n:06d}", f"Customer {n}") for n in range(ACCOUNTS)), at=start)
    ids = list(made_accounts.values())
    for key in METERS:
        create_meter(key=key, name=key, event_type=key, aggregation="sum", value="value", unit="unit", at=start)
    prices = [flat_fee("Base fee", Decimal(49))]
    prices += [per_unit(key, meter_key=key, unit_amount=Decimal("0.001")) for key in METERS]
    create_plan(slug="gold", name="Gold", rank=1, currency="EUR", prices=prices, at=start)
    create_subscriptions(account_ids=ids, plan_slug="gold", started_at=start, at=now)

    control(url, "POST", "limits", mode="off")
    client = get_client()
    for meter_id, key in enumerate_meters():
        terms = {"display_name": key, "event_name": f"palier_{key}", "default_aggregation": {"formula": "sum"}}
        made = client.v1.billing.meters.create(terms)  # type: ignore[arg-type]
        StripeObject.objects.create(kind=StripeKind.METER, key=str(meter_id), stripe_id=made.id, synced_at=now)
    customers = create_customers(url, ids)
    StripeCustomer.objects.bulk_create(
        StripeCustomer(account_id=pk, stripe_id=customer, asked_at=now)
        for pk, customer in zip(ids, customers, strict=True)
    )
    items = {str(pk): f"si_{pk}" for pk in Price.objects.values_list("pk", flat=True)}
    by_account = dict(zip(ids, customers, strict=True))
    current = Period.objects.filter(starts_at__lte=now, ends_at__gt=now).select_related("subscription")
    StripeSubscription.objects.bulk_create(
        StripeSubscription(
            subscription=each.subscription,
            version_id=each.version_id,
            customer_id=by_account[each.subscription.account_id],
            stripe_id=f"sub_{each.pk}",
            starts_at=each.starts_at,
            anchor=each.ends_at,
            cycle_starts_at=each.starts_at,
            items=items,
            status="active",
        )
        for each in current
    )


def create_customers(url: str, names: Iterable[int]) -> list[str]:
    """Their ids, over a bare connection: ten thousand calls of the client would take longer than what is measured."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    made = []
    for name in names:
        connection.request("POST", "/v1/customers", f"name={name}", headers)
        made.append(json.loads(connection.getresponse().read())["id"])
    connection.close()
    return made


def enumerate_meters() -> list[tuple[int, str]]:
    from metering.meters import list_meters

    return [(meter.id, meter.key) for meter in list_meters()]


def measure(api: str, url: str, hour: datetime, *, senders: int) -> Iterator[Figure]:
    """One hour of usage appears, is collected and sent; then what the simulator has of it is counted."""
    from django.conf import settings
    from django.db import connection

    from billing.models import StripeMeterEvent
    from billing.stripe.usage.collecting import collect_usage

    settings.STRIPE_METER_EVENT_API, settings.STRIPE_METER_EVENT_RATE = api, RATES[api] * 97 // 100
    with connection.cursor() as cursor:
        cursor.execute(FILL_ROLLUPS, {"hour": hour})
        cursor.execute(FILL_TOTALS, {"hour": hour})
        cursor.execute("ANALYZE")
    floor = EVENTS / RATES[api]
    collecting = seconds(lambda: collect_usage(datetime.now(UTC)))
    control(url, "POST", "limits", mode="on", rates={"meter_event_stream": RATES["stream"] // STREAMED})
    sending = seconds(lambda: send_by_processes(senders, send))
    violations = sum(control(url, "GET", "limits")["violations"].values())
    missing = EVENTS - StripeMeterEvent.objects.filter(starts_at=hour, state="accepted").count()
    missing += count_differences(url, hour)
    name = f"stripe push by {api} over {senders}, {ACCOUNTS} accounts × 3 meters × 1 hour"
    yield at_most(name, values=[sending], floors=[floor], unit="s", target=1.3)
    beside = EVENTS / RATES["v1"]
    yield at_most(f"{name}, collecting", values=[collecting], floors=[beside], unit="s", target=0.5)
    yield Figure(f"{name}, not accepted", missing, "events", 0, missing, 0, missing == 0)
    yield Figure(f"{name}, violations", violations, "calls", 0, violations, 0, violations == 0)


def count_differences(url: str, hour: datetime) -> int:
    """Of a sample of customers, meters whose summary of this hour is not what FILL_ROLLUPS put there."""
    from billing.models import StripeCustomer
    from billing.stripe.catalogue.lookup import find_meter_id
    from billing.stripe.client import get_client

    control(url, "POST", "limits", mode="off")
    client = get_client()
    start = int(hour.timestamp())
    count = 0
    for customer in StripeCustomer.objects.order_by("pk")[:: max(ACCOUNTS // SAMPLE, 1)]:
        for meter_id, _ in enumerate_meters():
            window = {"customer": customer.stripe_id or "", "start_time": start, "end_time": start + 3600}
            found = client.v1.billing.meters.event_summaries.list(find_meter_id(meter_id), window)  # type: ignore[arg-type]
            expected = 1 + (customer.account_id + meter_id) % 500
            count += sum(each.aggregated_value for each in found.data) != expected
    return count


def send_by_processes(count: int, act: Callable[[], None]) -> None:
    """As so many workers do it. Raises RuntimeError where one of them failed."""
    from bench.stack import close_connections

    close_connections()
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=act) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a process that sends failed")


def send() -> None:
    from billing.stripe.usage.sending import send_usage

    now = datetime.now(UTC)
    send_usage(clock=lambda: datetime.now(UTC), until=now + timedelta(minutes=10))


def call_all(call: Callable[[int], None], numbers: Iterable[int]) -> None:
    for number in numbers:
        call(number)


def measure_client(url: str) -> Figure:
    """Calls of the official client, against the same request over a bare connection; turn by turn."""
    from billing.stripe.client import get_client

    control(url, "POST", "limits", mode="off")
    client = get_client()
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    body = "event_name=palier_requests&payload[value]=1&payload[stripe_customer_id]=cus_none&identifier="
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    payload = {"value": "1", "stripe_customer_id": "cus_none"}

    def call_client(number: int) -> None:
        event = {"event_name": "palier_requests", "identifier": f"client-{number}", "payload": payload}
        client.v1.billing.meter_events.create(event)  # type: ignore[arg-type]

    def call_bare(number: int) -> None:
        connection.request("POST", "/v1/billing/meter_events", f"{body}bare-{number}", headers)
        connection.getresponse().read()

    values, floors = [], []
    for turn in range(3):
        numbers = range(turn * CALLS, (turn + 1) * CALLS)
        values.append(1e6 / CALLS * seconds(partial(call_all, call_client, numbers)))
        floors.append(1e6 / CALLS * seconds(partial(call_all, call_bare, numbers)))
    return at_most("stripe push, a call of the official client", values=values, floors=floors, unit="µs", target=8)


def measure_client_alone(url: str) -> Figure:
    """Two processes that call the official client and do nothing else: what is left of the limit's time is ours."""
    from billing.stripe.client import build_client, get_client

    control(url, "POST", "limits", mode="off")

    def call_client() -> None:
        build_client.cache_clear()  # its connection is the parent's
        client = get_client()
        payload = {"value": "1", "stripe_customer_id": "cus_none"}
        for number in range(CALLS_ALONE):
            event = {"event_name": "palier_requests", "identifier": f"{os.getpid()}-{number}", "payload": payload}
            client.v1.billing.meter_events.create(event)  # type: ignore[arg-type]

    whole = EVENTS / (2 * CALLS_ALONE)
    value = whole * seconds(lambda: send_by_processes(2, call_client))
    name = f"stripe push, {EVENTS} calls of the official client alone over 2"
    return at_most(name, values=[value], floors=[EVENTS / RATES["v1"]], unit="s", target=1)
