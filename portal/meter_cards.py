"""Usage as the screens show it: each meter against its limit, with its chart and the table behind the chart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from django.utils.safestring import SafeString

from billing.periods import CALENDAR_MONTH, find_period
from metering.charts import draw_usage_chart
from metering.forecast import ForecastFact, read_latest_forecasts
from metering.limits import LimitReading, read_limits
from metering.quantities import EXACT
from metering.usage import Point, Reading, read_series, read_totals

CHARTS_SHOWN = 4  # on the dashboard; each costs a query, and nobody compares twenty
WARNING_PERCENT, FULL_PERCENT = Decimal(80), Decimal(100)


@dataclass(frozen=True, slots=True)
class DayRow:
    """What one day used, and what was used so far: of a level the same. `percent` is None without a limit."""

    start: datetime
    quantity: Decimal
    so_far: Decimal
    percent: Decimal | None


@dataclass(frozen=True, slots=True)
class MeterCard:
    """One meter in [start, end). Without a limit `quantity`, `remaining`, `percent` and `forecast` are None.

    There is none of a window that is over either.
    """

    key: str
    name: str
    unit: str
    used: Decimal
    quantity: Decimal | None
    remaining: Decimal | None
    percent: Decimal | None
    is_hard: bool
    start: datetime
    end: datetime
    chart: SafeString | None = None
    days: tuple[DayRow, ...] = ()
    is_level: bool = False  # its days do not add up
    forecast: ForecastFact | None = None

    @property
    def level(self) -> str:
        """Names the colour and the words: `ok`, `warning` from 80 %, `over` from 100 %, `none` without a limit."""
        if self.percent is None:
            return "none"
        return "over" if self.percent >= FULL_PERCENT else "warning" if self.percent >= WARNING_PERCENT else "ok"

    @property
    def bar_percent(self) -> str:
        """As SVG and ARIA want it: a point for the decimals whatever the language, never past the end of the bar."""
        return f"{min(max(self.percent or Decimal(0), Decimal(0)), FULL_PERCENT).normalize():f}"


@dataclass(frozen=True, slots=True)
class UsageOverview:
    """The meters of an account, the fullest first, and whether any event was counted in the present month."""

    cards: tuple[MeterCard, ...]
    has_events: bool


def read_overview(*, account_id: int, at: datetime, time_zone: str) -> UsageOverview:
    """Every meter with a limit now or with usage this month. At most three queries and one for each of four charts."""
    start, end = find_period(at, CALENDAR_MONTH, time_zone)
    totals = read_totals(account_id=account_id, start=start, end=end)
    limits = {limit.meter_id: limit for limit in read_limits(account_id=account_id, at=at)}
    forecasts = read_latest_forecasts([limit.limit_id for limit in limits.values()])
    cards = [card_of_limit(limit, forecasts.get(limit.limit_id)) for limit in limits.values()]
    cards += [card_of_total(total) for total in totals if total.event_count and total.meter_id not in limits]
    cards.sort(key=lambda card: (card.percent is None, -(card.percent or Decimal(0)), card.name))
    drawn = [
        add_chart(card, account_id=account_id, at=at, time_zone=time_zone) if number < CHARTS_SHOWN else card
        for number, card in enumerate(cards)
    ]
    return UsageOverview(cards=tuple(drawn), has_events=any(total.event_count for total in totals))


def read_meter_card(total: Reading, *, account_id: int, at: datetime, time_zone: str) -> MeterCard:
    """One meter over the window of a reading, with its chart. The limit is that of the window's last moment."""
    last_moment = min(at, total.end - timedelta(microseconds=1))
    limits = read_limits(account_id=account_id, at=last_moment)
    limit = next((limit for limit in limits if limit.meter_id == total.meter_id), None)
    card = card_of_total(total)
    # the window is the month, or within it: the first, partial month of a subscription
    if limit is not None and (
        (limit.start <= total.start and total.end <= limit.resets_at)
        or (total.start <= limit.start and limit.resets_at <= total.end)
    ):
        forecast = read_latest_forecasts([limit.limit_id]).get(limit.limit_id) if at < limit.resets_at else None
        card = card_of_limit(limit, forecast)
    return add_chart(card, account_id=account_id, at=at, time_zone=time_zone)


def card_of_limit(limit: LimitReading, forecast: ForecastFact | None) -> MeterCard:
    return MeterCard(
        key=limit.meter_key,
        name=limit.meter_name,
        unit=limit.unit,
        used=limit.used,
        quantity=limit.quantity,
        remaining=limit.remaining,
        percent=limit.percent,
        is_hard=limit.is_hard,
        start=limit.start,
        end=limit.resets_at,
        forecast=forecast,
    )


def card_of_total(total: Reading) -> MeterCard:
    return MeterCard(
        key=total.meter_key,
        name=total.meter_name,
        unit=total.unit,
        used=total.quantity,
        quantity=None,
        remaining=None,
        percent=None,
        is_hard=False,
        start=total.start,
        end=total.end,
    )


def add_chart(card: MeterCard, *, account_id: int, at: datetime, time_zone: str) -> MeterCard:
    """The same card with its chart and, for who cannot see it, the same numbers by day. One query."""
    points = read_series(
        account_id=account_id,
        meter_key=card.key,
        start=card.start,
        end=card.end,
        bucket="day",
        time_zone=time_zone,
    )
    chart = draw_usage_chart(
        points,
        quantity=card.quantity,
        start=card.start,
        end=card.end,
        at=at,
        title=card.name,
        unit=card.unit,
        time_zone=time_zone,
        band=card.forecast.band if card.forecast else (),
    )
    days = tuple(list_days(points, quantity=card.quantity, at=at))
    return replace(card, chart=chart, days=days, is_level=any(point.is_level for point in points))


def list_days(points: Sequence[Point], *, quantity: Decimal | None, at: datetime) -> list[DayRow]:
    """A row for each day that has begun; days to come are left out unless something was counted in them."""
    rows, so_far = [], Decimal(0)
    for point in points:
        so_far = point.quantity if point.is_level else EXACT.add(so_far, point.quantity)
        if point.start <= at or (point.quantity and not point.is_level):
            rows.append(DayRow(point.start, point.quantity, so_far, find_percent(so_far, quantity)))
    return rows


def find_percent(used: Decimal, quantity: Decimal | None) -> Decimal | None:
    """Rounded down to a tenth, so that a limit is not read as reached before it is. Of a limit of zero: none."""
    if not quantity:
        return None
    exact = EXACT.divide(EXACT.multiply(used, Decimal(100)), quantity)
    return exact.quantize(Decimal("0.1"), rounding=ROUND_DOWN, context=EXACT)
