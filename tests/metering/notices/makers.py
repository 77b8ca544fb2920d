"""Alerts as detection leaves them, with the rule that made them, and people who hear of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from jobs.models import Job
from jobs.queue import do_now
from metering.models import Account, Alert, AlertRule, Delivery, Meter, Notice, RuleSet
from metering.notices import announce
from metering.notices.recipients import FINDERS, Recipient
from tests.jobs.makers import StandingClock
from tests.metering.makers import make_account, make_meter

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
OLIVIA = Recipient("olivia@example.com", page_url="https://palier.example/a/acme/alerts/", can_upgrade=True)


def make_rule(**fields: Any) -> AlertRule:
    values = {"name": f"rule {AlertRule.objects.count()}", "kind": "usage"} | fields
    return AlertRule.objects.create(rule_set=RuleSet.objects.get(is_live=True), **values)


def make_alert(
    *, level: str = "80", used: str = "81.25", quantity: str | None = "100", account: str = "acme", **fields: Any
) -> Alert:
    """An alert of `requests` in November that spoke at noon of the tenth, of an account of that key."""
    if not Account.objects.filter(key=account).exists():
        make_account(account, name=account.title())
    if not Meter.objects.filter(key="requests").exists():
        make_meter("requests")
    values = {
        "account": Account.objects.get(key=account),
        "meter": Meter.objects.get(key="requests"),
        "starts_at": NOVEMBER,
        "ends_at": DECEMBER,
        "epoch": 1,
        "severity": "critical" if Decimal(level) >= 100 else "warning",
        "crossed_at": NOON - timedelta(hours=1),
        "detected_at": NOON,
    } | fields
    return Alert.objects.create(
        level=Decimal(level), used=Decimal(used), quantity=None if quantity is None else Decimal(quantity), **values
    )


@contextmanager
def hearing(*recipients: Recipient, audience: str = "members") -> Iterator[None]:
    """For a while these people are behind the audience, of every account, and nobody else behind any."""
    before = dict(FINDERS)
    FINDERS.clear()
    FINDERS[audience] = lambda account_ids, at: {key: list(recipients) for key in account_ids}
    try:
        yield
    finally:
        FINDERS.clear()
        FINDERS.update(before)


def raise_alert(alert: Alert, *, occasion: str = "raised", at: datetime = NOON) -> int:
    return announce([alert.pk], occasion=occasion, at=at)


def do_jobs(kind: str, *, at: datetime = NOON) -> list[str | None]:
    """Do those that are due. The state that each is left in."""
    due = Job.objects.filter(kind=kind, state="queued", run_at__lte=at).order_by("pk")
    return [do_now(kind, key, clock=StandingClock(at)) for key in due.values_list("key", flat=True)]


def states(*, audience: str = "members") -> list[tuple[str, str]]:
    return list(Notice.objects.filter(audience=audience).order_by("pk").values_list("occasion", "state"))


def read_deliveries() -> list[Delivery]:
    return list(Delivery.objects.order_by("pk"))
