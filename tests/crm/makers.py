"""A small vendor: one meter, a plan or two, customers who use as much as a test says. Made through the doors."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, transaction

from billing.plans import PlanLimitTerms, create_plan, list_slugs
from billing.rating import flat_fee, per_unit
from billing.subscriptions import create_subscription
from crm.assignment import give_out
from crm.leads import open_leads
from crm.models import Lead, Severity
from crm.reps import RepFact, create_rep
from crm.roles import SALES_MANAGER, SALES_REP
from crm.transitions import log_transition
from metering.accounts import AccountRef, create_account, read_accounts
from metering.alerts import check_limits
from metering.forecast import Expectation, record_forecast
from metering.ingest import UsageEvent, ingest_events
from metering.meters import create_meter
from metering.models import Alert, Limit

JUNE_1 = datetime(2026, 6, 1, tzinfo=UTC)
JUNE_10 = datetime(2026, 6, 10, 12, tzinfo=UTC)
JUNE_11 = datetime(2026, 6, 11, 12, tzinfo=UTC)
JUNE_12 = datetime(2026, 6, 12, 12, tzinfo=UTC)
JULY_1 = datetime(2026, 7, 1, tzinfo=UTC)
PASSWORD = "correct-horse-battery"


def make_small() -> None:
    """The meter `requests` and the plan Small: 250 for €19.00, of which 200 included, then €0.02 each."""
    if list_slugs():
        return
    create_meter(
        key="requests",
        name="Requests",
        event_type="requests",
        aggregation="sum",
        value="count",
        unit="request",
        at=JUNE_1,
    )
    make_plan("small", rank=1, fee="19", limit=250, price="0.02", included=200)


def make_large() -> None:
    """The next plan, Large: 5,000 for €99.00."""
    make_small()
    make_plan("large", rank=2, fee="99", limit=5000, price="0.01", included=5000)


def make_plan(slug: str, *, rank: int, fee: str, limit: int, price: str, included: int) -> None:
    create_plan(
        slug=slug,
        name=slug.title(),
        rank=rank,
        currency="EUR",
        prices=[
            flat_fee("Base fee", Decimal(fee)),
            per_unit("Requests", meter_key="requests", unit_amount=Decimal(price), included_units=Decimal(included)),
        ],
        limits=[PlanLimitTerms("requests", Decimal(limit))],
        at=JUNE_1,
    )


def make_customer(key: str, *, plan: str | None = "small") -> AccountRef:
    make_small()
    account = create_account(key=key, name=key.title(), at=JUNE_1)
    if plan:
        create_subscription(account_id=account.id, plan_slug=plan, started_at=JUNE_1, at=JUNE_1)
    return account


def use(account: AccountRef, count: int, *, at: datetime = JUNE_10, batch: str = "a") -> None:
    """`count` requests of one moment, told in one event. A batch of the same name and time counts once."""
    event = UsageEvent(f"test/{batch}", f"{account.key}/{at:%Y%m%d%H}", "requests", account.key, at, {"count": count})
    ingest_events([event], at=at)
    check_limits(at=at)


def raise_alert(account: AccountRef, *, at: datetime = JUNE_10, **fields: object) -> Alert:
    """An alert that was told, of any kind: by default 80 % of the account's limit of `requests`."""
    limit = Limit.objects.filter(account_id=account.id, starts_at__lte=at, ends_at__gt=at).first()
    is_of_limit = fields.get("kind", "usage") in ("usage", "forecast") and limit is not None
    known = {"limit": limit, "meter_id": limit.meter_id, "quantity": limit.quantity} if is_of_limit else {}
    plain = {
        "kind": "usage",
        "level": Decimal(80),
        "severity": "warning",
        "used": Decimal(210),
        "starts_at": JUNE_1,
        "ends_at": JULY_1,
        "epoch": limit.epoch if limit else 1,
        "crossed_at": at,
        "detected_at": at,
    }
    return Alert.objects.create(account_id=account.id, **(plain | known | fields))


def resolve_alerts(account: AccountRef, *, at: datetime, recovery: str = "fell") -> None:
    Alert.objects.filter(account_id=account.id, resolved_at=None).update(resolved_at=at, recovery=recovery)


def expect(account: AccountRef, chance: str, *, at: datetime = JUNE_10, **fields: object) -> None:
    """A forecast of the account's limit of that moment."""
    limit = Limit.objects.get(account_id=account.id, starts_at__lte=at, ends_at__gt=at)
    expectation = Expectation(p_hit=Decimal(chance), days_of_data=Decimal(30), **fields)  # type: ignore[arg-type]
    record_forecast(limit.pk, expectation, at=at)


def make_lead(key: str, *, count: int = 260, at: datetime = JUNE_10) -> Lead:
    """A customer on Small who used that much, and the lead that follows."""
    account = make_customer(key)
    use(account, count, at=at)
    open_leads(at=at)
    return Lead.objects.get(account_id=account.id, closed_at=None)


def make_plain_lead(key: str, *, level: int = 100, at: datetime = JUNE_10) -> Lead:
    """An open lead without any signal: enough for who may do what with it, and cheaper."""
    account = create_account(key=key, name=key.title(), at=JUNE_1)
    severity = Severity.CRITICAL if level >= 100 else Severity.WARNING
    lead = Lead.objects.create(account_id=account.id, severity=severity, level=level, opened_at=at)
    log_transition(lead, to_stage="new", actor_id=None, at=at)
    return lead


def make_given_lead(key: str, *, level: int = 100, at: datetime = JUNE_10) -> Lead:
    """The same, given to whom the rules give it."""
    lead = make_plain_lead(key, level=level, at=at)
    with transaction.atomic():
        give_out([lead], at=at)
    return lead


def make_user(name: str, *, group: str | None = None, is_staff: bool = True, is_superuser: bool = False):
    user = get_user_model().objects.create_user(
        f"{name}@example.com", PASSWORD, name=name.title(), is_staff=is_staff, is_superuser=is_superuser
    )
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def make_rep(name: str, *, is_present: bool = True) -> RepFact:
    return create_rep(user_id=make_user(name, group=SALES_REP).pk, is_present=is_present)


def make_manager(name: str = "mona"):
    return make_user(name, group=SALES_MANAGER)


def find_customer(lead: Lead) -> AccountRef:
    return read_accounts([lead.account_id])[lead.account_id]


def find_person(rep: RepFact):
    return get_user_model().objects.get(pk=rep.user_id)


def run_together(*calls: Callable[[], object]) -> list[object]:
    """Run each in its own thread with its own connection; returns results in order, raises what they raised."""

    def run(call: Callable[[], object]) -> object:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [task.result(timeout=30) for task in [pool.submit(run, call) for call in calls]]
