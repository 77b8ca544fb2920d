"""A catalogue as JSON has it: meters, and plans with a version for each currency. See docs/catalogue.md.

What is wrong is gathered over the whole file, each fault with its place, such as
`plans[0].versions[1].prices[2].tiers[0].up_to`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.ahead.thresholds import InvalidThresholds, Thresholds
from billing.late.policy import LatePolicy, LateUsage
from billing.money import Money, UnknownCurrency, find_exponent
from billing.periods import Anchoring, Interval
from billing.plans import AddOnTerms, InvalidPlan, PeriodTerms, PlanLimitTerms
from billing.proration import Proration
from billing.rating import InvalidPrice, PriceTerms
from billing.rating.definitions import Fields, read_price
from metering.meters import InvalidMeter, MeterConflict, UnknownMeter

LARGEST_MINOR = 2**63 - 1
LONGEST_TEXT = 120
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,60}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: an empty place is the whole file."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class InvalidCatalogue(ValueError):
    """A file that was not imported, not even in part; `faults` are all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """What create_meter takes."""

    key: str
    name: str
    event_type: str
    unit: str
    aggregation: str
    value: str
    filter: Any
    dimensions: tuple[str, ...]
    carries_over: bool
    place: str


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """A version as it is to be; `offered_from` None is at once."""

    currency: str
    prices: tuple[PriceTerms, ...]
    limits: tuple[PlanLimitTerms, ...]
    periods: PeriodTerms
    commitment_minor: int
    included_credit_minor: int
    add_ons: tuple[AddOnTerms, ...]
    late: LatePolicy | None
    thresholds: Thresholds
    offered_from: datetime | None
    place: str


@dataclass(frozen=True, slots=True)
class PlanEntry:
    slug: str
    name: str
    rank: int
    versions: tuple[VersionEntry, ...]
    place: str


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    meters: tuple[MeterEntry, ...] = ()
    plans: tuple[PlanEntry, ...] = ()


@dataclass(slots=True)
class Faults:
    """Where what is wrong is gathered, so that one fault does not hide the others."""

    found: list[Fault] = field(default_factory=list)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """A refusal within is noted with its place, from the file's outside."""
        try:
            yield
        except (InvalidPrice, InvalidPlan, InvalidMeter, UnknownMeter) as error:
            self.add(join_place(place, error.field), str(error))
        except (MeterConflict, UnknownCurrency) as error:
            self.add(place, str(error))

    def add(self, place: str, text: str) -> None:
        self.found.append(Fault(place, text))

    def finish(self) -> None:
        """Raises InvalidCatalogue where there is any."""
        if self.found:
            raise InvalidCatalogue(self.found)


def parse_catalogue(text: str) -> CatalogueFile:
    """Numbers are never floats. Raises InvalidCatalogue with everything that can be told without the database."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=refuse_constant, object_pairs_hook=read_object)
    except (ValueError, RecursionError) as error:
        raise InvalidCatalogue([Fault("", f"This is no JSON: {error}")]) from error
    return read_catalogue(value)


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that says one thing twice says neither."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made


def read_catalogue(value: Any) -> CatalogueFile:
    """`{"about", "sources", "meters": [...], "plans": [...]}`. Raises InvalidCatalogue."""
    faults = Faults()
    meters: list[MeterEntry] = []
    plans: list[PlanEntry] = []
    with faults.at(""):
        fields = Fields(value, InvalidPrice)
        fields.take_text("about", "")
        fields.take_list("sources")
        listed_meters, listed_plans = fields.take_list("meters") or [], fields.take_list("plans") or []
        fields.finish()
        if not listed_plans:
            raise InvalidPrice("plans is missing.", "plans")
        for number, row in enumerate(listed_meters):
            place = f"meters[{number}]"
            with faults.at(place):
                meters.append(read_meter(row, place))
        for number, row in enumerate(listed_plans):
            place = f"plans[{number}]"
            with faults.at(place):
                plans.append(read_plan(row, place, faults))
    refuse_twins(faults, [(each.slug, f"{each.place}.slug") for each in plans])
    refuse_twins(faults, [(str(each.rank), f"{each.place}.rank") for each in plans])
    refuse_twins(faults, [(each.key, f"{each.place}.key") for each in meters])
    faults.finish()
    return CatalogueFile(tuple(meters), tuple(plans))


def refuse_twins(faults: Faults, names: list[tuple[str, str]]) -> None:
    seen: set[str] = set()
    for name, place in names:
        if name in seen:
            faults.add(place, f"{name} is there twice.")
        seen.add(name)


def read_meter(value: Any, place: str) -> MeterEntry:
    fields = Fields(value, InvalidPrice)
    entry = MeterEntry(
        key=need_text(fields, "key"),
        name=need_text(fields, "name"),
        event_type=need_text(fields, "event_type"),
        unit=need_text(fields, "unit"),
        aggregation=fields.take_text("aggregation", "count"),
        value=fields.take_text("value", ""),
        filter=fields.take("filter"),
        dimensions=tuple(take_texts(fields, "dimensions")),
        carries_over=fields.take_switch("carries_over"),
        place=place,
    )
    fields.finish()
    return entry


def read_plan(value: Any, place: str, faults: Faults) -> PlanEntry:
    fields = Fields(value, InvalidPrice)
    slug, name = need_slug(fields, "slug"), need_text(fields, "name")
    rank = fields.take_whole("rank")
    if rank is None or rank < 0:
        raise fields.refuse("rank", "must be a whole number, which orders the plans")
    rows = fields.take_list("versions")
    fields.finish()
    if not rows:
        raise fields.refuse("versions", "is missing")
    versions = []
    for number, row in enumerate(rows):
        inner = f"{place}.versions[{number}]"
        with faults.at(inner):
            versions.append(read_version(row, inner, faults))
    refuse_twins(faults, [(each.currency, f"{each.place}.currency") for each in versions])
    return PlanEntry(slug, name, rank, tuple(versions), place)


def read_version(value: Any, place: str, faults: Faults) -> VersionEntry:
    fields = Fields(value, InvalidPrice)
    currency = read_currency(fields)
    trial_days = fields.take_whole("trial_days", 0)
    periods = PeriodTerms(
        interval=fields.take_choice("interval", Interval, Interval.MONTH),
        anchoring=fields.take_choice("anchoring", Anchoring, Anchoring.CALENDAR),
        proration=fields.take_choice("proration", Proration, Proration.SECOND),
        trial_days=trial_days or 0,
        grace_hours=fields.take_whole("grace_hours"),
    )
    commitment = read_minor(fields, "commitment", currency)
    included_credit = read_minor(fields, "included_credit", currency)
    late = read_late_policy(fields, currency)
    thresholds = read_thresholds(fields, currency)
    offered_from = read_moment(fields, "offered_from")
    rows = {name: fields.take_list(name) or [] for name in ("prices", "limits", "add_ons")}
    fields.finish()
    if not rows["prices"]:
        faults.add(f"{place}.prices", "A version has at least one price; a free plan has a fee of zero.")
    prices, limits, add_ons = [], [], []
    for number, row in enumerate(rows["prices"]):
        with faults.at(f"{place}.prices[{number}]"):
            prices.append(read_short_price(drop_currency(row, currency)))
    for number, row in enumerate(rows["limits"]):
        with faults.at(f"{place}.limits[{number}]"):
            limits.append(read_limit(row))
    for number, row in enumerate(rows["add_ons"]):
        with faults.at(f"{place}.add_ons[{number}]"):
            add_ons.append(read_add_on(row))
    return VersionEntry(
        currency=currency,
        prices=tuple(prices),
        limits=tuple(limits),
        periods=periods,
        commitment_minor=commitment,
        included_credit_minor=included_credit,
        add_ons=tuple(add_ons),
        late=late,
        thresholds=thresholds,
        offered_from=offered_from,
        place=place,
    )


def read_short_price(row: Any) -> PriceTerms:
    price = read_price(row)
    if len(price.description) > LONGEST_TEXT:
        raise InvalidPrice(f"The description has more than {LONGEST_TEXT} characters.", "description")
    return price


def drop_currency(row: Any, currency: str) -> Any:
    """A price may repeat the version's currency, and have no other."""
    if not isinstance(row, dict) or "currency" not in row:
        return row
    if row["currency"] != currency:
        raise InvalidPrice(f"The price is in {row['currency']!r}, its version in {currency}.", "currency")
    return {name: value for name, value in row.items() if name != "currency"}


def read_currency(fields: Fields) -> str:
    currency = fields.take_text("currency")
    try:
        find_exponent(currency)
    except UnknownCurrency:
        raise fields.refuse("currency", f"must be a code of ISO 4217, not {currency!r}") from None
    return currency


def read_minor(fields: Fields, name: str, currency: str) -> int:
    """An amount in whole units of the currency → smallest units, of which it must be a whole number."""
    amount = fields.need_number(name, Decimal(0))
    if not amount.is_finite() or amount < 0:
        raise fields.refuse(name, "may not be negative")
    minor = amount.scaleb(find_exponent(currency))
    if minor != minor.to_integral_value() or minor > LARGEST_MINOR:
        raise fields.refuse(name, f"must be an amount that {currency} has")
    return int(minor)


def read_thresholds(fields: Fields, currency: str) -> Thresholds:
    """`thresholds`, a list of amounts, and `threshold_step`; both in whole units of the currency."""
    listed = fields.take_list("thresholds") or []
    amounts = [read_minor(Fields({"thresholds": each}, InvalidPrice), "thresholds", currency) for each in listed]
    step = read_minor(fields, "threshold_step", currency)
    try:
        return Thresholds(
            tuple(Money(amount, currency).amount for amount in amounts), Money(step, currency).amount if step else None
        )
    except InvalidThresholds as error:
        raise InvalidPrice(str(error), "thresholds") from error


def read_late_policy(fields: Fields, currency: str) -> LatePolicy | None:
    """`late_usage` and `late_waive_under`; None where the installation's policy counts."""
    stated = fields.take_choice("late_usage", LateUsage, LateUsage.SETTINGS)
    under = read_minor(fields, "late_waive_under", currency)
    if stated == LateUsage.SETTINGS:
        if under:
            raise fields.refuse("late_waive_under", "needs late_usage, which says what is done about the rest")
        return None
    return LatePolicy(stated == LateUsage.SETTLE, stated != LateUsage.WAIVE, under)


def read_moment(fields: Fields, name: str) -> datetime | None:
    text = fields.take(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise fields.refuse(name, "must be a time of ISO 8601, such as 2026-03-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise fields.refuse(name, "must say its offset, such as Z for UTC")
    return moment


def read_limit(value: Any) -> PlanLimitTerms:
    fields = Fields(value, InvalidPrice)
    limit = PlanLimitTerms(
        meter_key=need_text(fields, "meter"),
        quantity=fields.need_number("quantity"),
        is_hard=fields.take_switch("is_hard"),
    )
    fields.finish()
    return limit


def read_add_on(value: Any) -> AddOnTerms:
    fields = Fields(value, InvalidPrice)
    add_on = AddOnTerms(
        key=need_slug(fields, "key"),
        description=need_text(fields, "description"),
        unit_amount=fields.need_number("unit_amount"),
        max_quantity=fields.take_whole("max_quantity"),
    )
    fields.finish()
    return add_on


def need_text(fields: Fields, name: str) -> str:
    text = fields.take_text(name)
    if not text.strip():
        raise fields.refuse(name, "is empty")
    if len(text) > LONGEST_TEXT:
        raise fields.refuse(name, f"has more than {LONGEST_TEXT} characters")
    return text


def need_slug(fields: Fields, name: str) -> str:
    text = need_text(fields, name)
    if not SLUG.fullmatch(text):
        raise fields.refuse(name, "must be made of up to 60 letters, digits, - and _")
    return text


def take_texts(fields: Fields, name: str) -> list[str]:
    values = fields.take_list(name) or []
    if not all(isinstance(each, str) for each in values):
        raise fields.refuse(name, "must be texts")
    return values


def join_place(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if outer and inner else outer or inner
