"""Evidence as JSON and back. Decimals and times are text; an hour in which nothing was used is left out."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from crm.evidence import Cost, CostLine, Evidence, Fee, Headline, Offer, PlanFacts, fill_hours, find_reading_end
from crm.expected import Expected
from metering.usage import Point

JSON = dict[str, Any]


def freeze_evidence(evidence: Evidence) -> JSON:
    return {
        "headline": freeze_fields(evidence.headline),
        "time_zone": evidence.time_zone,
        "hours": freeze_points(point for point in evidence.hours if point.quantity),
        "days": freeze_points(evidence.days),
        "plan": freeze_fields(evidence.plan),
        "cost": freeze_fields(evidence.cost),
        "offer": freeze_fields(evidence.offer),
        "frozen_at": evidence.frozen_at.isoformat(),
        "forecast": freeze_fields(evidence.forecast),
    }


def freeze_fields(value: Any) -> Any:
    """A dataclass as an object of its fields; decimals as short text, times in ISO 8601."""
    if isinstance(value, Decimal):
        return write_number(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [freeze_fields(item) for item in value]
    if isinstance(value, Mapping):
        return {name: freeze_fields(item) for name, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: freeze_fields(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def freeze_points(points: Iterable[Point]) -> list[list[str]]:
    """A level says so by a third text."""
    return [
        [point.start.isoformat(), write_number(point.quantity), *(["level"] if point.is_level else [])]
        for point in points
    ]


def write_number(number: Decimal) -> str:
    """The shortest text of it, whatever digits its column keeps: neither an exponent nor zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def thaw_evidence(frozen: JSON) -> Evidence:
    """The reverse of freeze_evidence."""
    headline = thaw_headline(frozen["headline"])
    frozen_at = datetime.fromisoformat(frozen["frozen_at"])
    until = find_reading_end(headline.start, headline.end, at=frozen_at)
    used = {point.start: point for point in thaw_points(frozen["hours"])}
    return Evidence(
        headline=headline,
        time_zone=frozen["time_zone"],
        hours=fill_hours(used, start=headline.start, end=until) if headline.meter_key else (),
        days=thaw_points(frozen["days"]),
        plan=thaw_plan(frozen["plan"]) if frozen["plan"] else None,
        cost=thaw_cost(frozen["cost"]) if frozen["cost"] else None,
        offer=thaw_offer(frozen["offer"]) if frozen["offer"] else None,
        frozen_at=frozen_at,
        forecast=thaw_expected(frozen["forecast"]) if frozen.get("forecast") else None,
    )


def thaw_headline(frozen: JSON) -> Headline:
    """Also one from when all alerts were about a limit's percentage: what it does not say is as it was then."""
    decimals = thaw_numbers(frozen, "level", "used", "quantity", "percent", "p_hit")
    return Headline(**(frozen | decimals | thaw_times(frozen, "start", "end", "crossed_at", "detected_at")))


def thaw_numbers(frozen: JSON, *names: str) -> dict[str, Decimal | None]:
    return {name: None if frozen[name] is None else Decimal(frozen[name]) for name in names if name in frozen}


def thaw_times(frozen: JSON, *names: str) -> dict[str, datetime | None]:
    return {name: None if frozen[name] is None else datetime.fromisoformat(frozen[name]) for name in names}


def thaw_expected(frozen: JSON) -> Expected:
    numbers = thaw_numbers(frozen, "chance", "total_low", "total_mid", "total_high")
    return Expected(**(frozen | numbers | thaw_times(frozen, "made_at", "hit_low", "hit_mid", "hit_high")))


def thaw_points(frozen: Iterable[list[str]]) -> tuple[Point, ...]:
    return tuple(
        Point(datetime.fromisoformat(start), Decimal(quantity), bool(level)) for start, quantity, *level in frozen
    )


def thaw_plan(frozen: JSON) -> PlanFacts:
    return PlanFacts(**(frozen | thaw_times(frozen, "period_start", "period_end")))


def thaw_cost(frozen: JSON) -> Cost:
    return Cost(**(frozen | {"lines": tuple(CostLine(**line) for line in frozen["lines"])}))


def thaw_offer(frozen: JSON) -> Offer:
    limit = None if frozen["limit"] is None else Decimal(frozen["limit"])
    fees = tuple(Fee(fee["description"], Decimal(fee["amount"])) for fee in frozen["fees"])
    return Offer(**(frozen | {"limit": limit, "fees": fees}))
