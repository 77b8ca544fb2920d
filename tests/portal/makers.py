"""A small vendor and its customers, made through the doors, for the portal's tests."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from django.test import Client

from billing.invoicing import InvoiceFact, close_period
from billing.models import Period
from billing.plans import PlanLimitTerms, create_plan, list_slugs
from billing.profiles import set_profile
from billing.rating import flat_fee, per_unit
from billing.subscriptions import SubscriptionFact, create_subscription, open_next_periods
from metering.accounts import AccountRef, create_account
from metering.ingest import UsageEvent, ingest_events
from metering.meters import create_meter
from portal.models import Membership, Role, User

SEPTEMBER = datetime(2026, 9, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
NOV_10 = datetime(2026, 11, 10, 12, tzinfo=UTC)
PASSWORD = "correct-horse-battery"

event_numbers = count(1)


def make_meters(number: int = 1) -> list[str]:
    """`requests` counts; `meter-2` and on count the same events."""
    keys = ["requests", *(f"meter-{each}" for each in range(2, number + 1))]
    for key in keys:
        name = "Requests" if key == "requests" else key.title()
        create_meter(key=key, name=name, event_type="request", unit="request", at=SEPTEMBER)
    return keys


def make_plan(*, meters: int = 1, limit: str = "500", currency: str = "EUR", is_hard: bool = False) -> str:
    """49.00 a month, 100 requests included, then 0.02 each; every meter limited. A second call changes nothing."""
    keys = make_meters(meters)
    if "growth" not in list_slugs():
        price = per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.02"), included_units=Decimal(100))
        create_plan(
            slug="growth",
            name="Growth",
            rank=1,
            currency=currency,
            prices=[flat_fee("Base fee", Decimal(49)), price],
            limits=[PlanLimitTerms(key, Decimal(limit), is_hard) for key in keys],
            at=SEPTEMBER,
        )
    return "growth"


def make_account(key: str = "acme", *, name: str = "") -> AccountRef:
    return create_account(key=key, name=name or f"{key.title()} Ltd", at=SEPTEMBER)


def subscribe(
    account: AccountRef, *, started_at: datetime = NOVEMBER, at: datetime = NOV_10, time_zone: str = "UTC"
) -> SubscriptionFact:
    plan_slug = make_plan()
    set_profile(account_id=account.id, legal_name=account.name, time_zone=time_zone)
    return create_subscription(account_id=account.id, plan_slug=plan_slug, started_at=started_at, at=at)


def use(account: AccountRef, requests: int, *, time: datetime = NOV_10, at: datetime | None = None) -> None:
    events = [
        UsageEvent(source="test", id=f"{next(event_numbers)}", type="request", subject=account.key, time=time, data={})
        for _ in range(requests)
    ]
    ingest_events(events, at=at or time)


def issue_invoices(account: AccountRef, *, at: datetime = NOV_10) -> list[InvoiceFact]:
    """Close every period of the account that has ended, oldest first."""
    ended = Period.objects.filter(subscription__account_id=account.id, ends_at__lte=at).order_by("starts_at")
    return [close_period(period_id, at=at) for period_id in ended.values_list("pk", flat=True)]


def make_user(email: str = "olivia@example.com", *, name: str = "Olivia", is_staff: bool = False) -> User:
    return User.objects.create_user(email, PASSWORD, name=name, is_staff=is_staff)


def make_member(account: AccountRef, role: str = Role.OWNER, *, email: str = "") -> User:
    user = make_user(email or f"{role}@{account.key}.example.com", name=role.title())
    Membership.objects.create(user=user, account_id=account.id, role=role)
    return user


def log_in(*users: User) -> Sequence[Client]:
    clients = []
    for user in users:
        client = Client()
        client.force_login(user)
        clients.append(client)
    return clients


def read(client: Client, address: str = "/a/acme/", *, language: str = "en") -> str:
    answer = client.get(address, headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.content.decode()


def squeeze(page: str) -> str:
    """What a person reads: the text without tags and runs of white space."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).replace("\xa0", " ")


def open_periods(*moments: datetime) -> None:
    """Let the clock open the periods that have come by each moment."""
    for moment in moments:
        open_next_periods(moment)
