"""What a limit lives through, told step by step."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from metering.alerts import check_limits, list_alerts
from metering.ingest import ingest_events
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Alert
from metering.quantities import EXACT
from tests.metering.makers import make_account, make_event, make_meter

NOVEMBER, DECEMBER, JANUARY = (
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def day(number: int, hour: int = 10) -> datetime:
    return NOVEMBER + timedelta(days=number - 1, hours=hour)


def make_limits(count: int, *, quantity: int = 10) -> list[int]:
    """Accounts `account-0`, … each with a limit on requests; returns their ids."""
    meter_id = make_meter("requests").id
    ids = [make_account(f"account-{number}").id for number in range(count)]
    for account_id in ids:
        terms = [LimitTerms(meter_id, Decimal(quantity), is_hard=False)]
        hand_over_limits(account_ids=[account_id], terms=terms, start=NOVEMBER, end=DECEMBER, at=NOON)
    return ids


class Story:
    """One account and a meter that sums amounts, brought from total to total; checked after every step."""

    def __init__(self) -> None:
        self.meter_id = make_meter("storage", value="amount", unit="GB").id
        self.account_id = make_account("acme").id
        self.used = Decimal(0)
        self.sent = 0

    def limit(self, at: datetime, quantity: str | None, *, check: bool = True, plan: str = "") -> None:
        start = NOVEMBER if at < DECEMBER else DECEMBER
        terms = LimitTerms(self.meter_id, None if quantity is None else Decimal(quantity), is_hard=False)
        end = DECEMBER if at < DECEMBER else JANUARY
        hand_over_limits(account_ids=[self.account_id], terms=[terms], start=start, end=end, at=at, plan=plan)
        if check:
            check_limits(at=at)

    def use(self, at: datetime, total: str, *, happened_at: datetime | None = None) -> None:
        """Bring the total of its window there."""
        self.sent += 1
        amount = EXACT.subtract(Decimal(total), self.used)
        event = make_event(str(self.sent), time=happened_at or at, amount=amount)
        [fate] = ingest_events([event], at=at)
        assert fate.fate in ("accepted", "late")
        self.used = Decimal(total)
        check_limits(at=at)

    def spoken(self) -> list[tuple[datetime, int]]:
        facts = list_alerts([self.account_id])
        return [(fact.detected_at, int(fact.level)) for fact in reversed(facts)]

    def silent(self) -> list[tuple[datetime, str]]:
        return list(Alert.objects.filter(state="suppressed").order_by("pk").values_list("detected_at", "silence"))

    def resolved(self) -> list[tuple[datetime, int, str]]:
        """Of what was told."""
        told = Alert.objects.filter(state="told", resolved_at__isnull=False).order_by("resolved_at", "pk")
        return [(alert.resolved_at, int(alert.level), alert.recovery) for alert in told if alert.resolved_at]
