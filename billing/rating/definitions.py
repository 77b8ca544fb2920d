"""Prices and readings as JSON has them: decimals as text, names as in the terms. What cannot be read names its field.

A price is `{"description": "Requests", "model": "graduated", "meter": "requests", "tiers": [{"up_to": "1000",
"unit_amount": "0.002"}, {"up_to": null, "unit_amount": "0.001"}]}`, a reading `{"meter": "requests", "quantity":
"1500"}`. A tier may also say `from`, where it begins, so that a gap or an overlap is found.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

from billing.rating.digits import PLACES, ZERO, InvalidPrice, InvalidQuantity, Rounding, trim
from billing.rating.readings import WHOLE, Part, Usage, add_quantities
from billing.rating.terms import (
    ChargedBy,
    Conversion,
    DimensionPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    TierTerms,
)

PART = re.compile(r"(\d{1,20})(?:/(\d{1,20}))?", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)

Refusal = type[InvalidPrice] | type[InvalidQuantity]
Choice = TypeVar("Choice", bound=StrEnum)
Item = TypeVar("Item")


class Fields:
    """An object of JSON, read field by field; each refusal says where. `finish` refuses what nobody asked for."""

    def __init__(self, value: Any, error: Refusal, path: str = "") -> None:
        self.error, self.path = error, path
        if not isinstance(value, Mapping):
            raise error(f"{path or 'This'} must be an object.", path)
        self.rest = dict(value)

    def find_path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, problem: str) -> InvalidPrice | InvalidQuantity:
        path = self.find_path(name)
        return self.error(f"{path} {problem}.", path)

    def take(self, name: str) -> Any:
        return self.rest.pop(name, None)

    def take_text(self, name: str, default: str | None = None) -> str:
        value = self.take(name)
        value = default if value is None else value
        if value is None:
            raise self.refuse(name, "is missing")
        if not isinstance(value, str):
            raise self.refuse(name, "must be text")
        return value

    def take_number(self, name: str) -> Decimal | None:
        value = self.take(name)
        return None if value is None else self.read_number(name, value)

    def need_number(self, name: str, default: Decimal | None = None) -> Decimal:
        value = self.take_number(name)
        value = default if value is None else value
        if value is None:
            raise self.refuse(name, "is missing")
        return value

    def read_number(self, name: str, value: Any) -> Decimal:
        if isinstance(value, str) and NUMBER.fullmatch(value):
            return Decimal(value)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return Decimal(value)
        raise self.refuse(name, "must be a decimal number, best written as text")

    def take_whole(self, name: str, default: int | None = None) -> int | None:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(name, "must be a whole number")
        return value

    def take_switch(self, name: str) -> bool:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise self.refuse(name, "must be true or false")
        return bool(value)

    def take_choice(self, name: str, kind: type[Choice], default: Choice | None = None) -> Choice:
        value = self.take_text(name, default)
        try:
            return kind(value)
        except ValueError:
            raise self.refuse(name, f"must be one of {', '.join(kind)}, not {value!r}") from None

    def take_list(self, name: str) -> list[Any] | None:
        value = self.take(name)
        if value is not None and not isinstance(value, list):
            raise self.refuse(name, "must be a list")
        return value

    def take_objects(self, name: str, read: Callable[["Fields"], Item]) -> list[Item]:
        rows = self.take_list(name) or []
        return [read(Fields(row, self.error, self.find_path(f"{name}[{number}]"))) for number, row in enumerate(rows)]

    def take_object(self, name: str, read: Callable[["Fields"], Item]) -> Item | None:
        value = self.take(name)
        return None if value is None else read(Fields(value, self.error, self.find_path(name)))

    def finish(self) -> None:
        for name in self.rest:
            raise self.refuse(name, "is no field of this")


@contextmanager
def within(path: str) -> Iterator[None]:
    """Fields at fault are named from further out."""
    try:
        yield
    except (InvalidPrice, InvalidQuantity) as error:
        error.field = f"{path}.{error.field}" if error.field else path
        raise


def read_price(value: Any) -> PriceTerms:
    """Raises InvalidPrice with the field."""
    fields = Fields(value, InvalidPrice)
    conversion = fields.take_object("conversion", read_conversion)
    percentage = fields.take_object("percentage", read_percentage)
    dimensions = tuple(fields.take_list("dimensions") or ())
    terms = PriceTerms(
        description=fields.take_text("description"),
        model=fields.take_choice("model", PriceModel),
        meter_key=fields.take_text("meter", "") or None,
        unit_amount=fields.take_number("unit_amount"),
        included_units=fields.need_number("included_units", ZERO),
        tiers=read_tiers(fields),
        conversion=conversion,
        package_size=fields.take_number("package_size"),
        package_rounding=fields.take_choice("package_rounding", Rounding, Rounding.UP),
        percentage=percentage,
        dimensions=dimensions,
        table=tuple(fields.take_objects("table", lambda row: read_row(row, dimensions))),
        first_tier_flat_at_zero=fields.take_switch("first_tier_flat_at_zero"),
        minimum=fields.need_number("minimum", ZERO),
        cap=fields.take_number("cap"),
        per_seat=fields.take_switch("per_seat"),
        charged_by=fields.take_choice("charged_by", ChargedBy, ChargedBy.AUTOMATIC),
    )
    fields.finish()
    return terms


def read_tiers(fields: Fields) -> tuple[TierTerms, ...]:
    """Where tiers say where they begin, each begins where the one before ends."""
    tiers: list[TierTerms] = []
    for start, tier, row in fields.take_objects("tiers", read_tier):
        floor = tiers[-1].up_to if tiers else ZERO
        if start is not None and floor is not None and start != floor:
            problem = "leaves a gap after" if start > floor else "overlaps"
            raise row.refuse("from", f"{problem} the tier before, which ends at {floor:f}")
        tiers.append(tier)
    return tuple(tiers)


def read_tier(fields: Fields) -> tuple[Decimal | None, TierTerms, Fields]:
    start = fields.take_number("from")
    rate_percent = fields.take_number("rate_percent")
    tier = TierTerms(
        up_to=fields.take_number("up_to"),
        unit_amount=fields.need_number("unit_amount", None if rate_percent is None else ZERO),
        flat_amount=fields.need_number("flat_amount", ZERO),
        rate_percent=rate_percent,
        package_size=fields.take_number("package_size"),
    )
    fields.finish()
    return start, tier, fields


def read_conversion(fields: Fields) -> Conversion:
    conversion = Conversion(
        multiply_by=fields.need_number("multiply_by", Decimal(1)),
        divide_by=fields.need_number("divide_by", Decimal(1)),
        rounding=fields.take_choice("rounding", Rounding, Rounding.HALF),
        places=fields.take_whole("places", PLACES) or 0,
        unit=fields.take_text("unit", ""),
    )
    fields.finish()
    return conversion


def read_percentage(fields: Fields) -> PercentageTerms:
    terms = PercentageTerms(
        rate_percent=fields.need_number("rate_percent"),
        fee=fields.need_number("fee", ZERO),
        free_amount=fields.need_number("free_amount", ZERO),
        free_transactions=fields.take_whole("free_transactions", 0) or 0,
        minimum=fields.take_number("minimum"),
        maximum=fields.take_number("maximum"),
    )
    fields.finish()
    return terms


def read_row(fields: Fields, dimensions: tuple[str, ...]) -> DimensionPrice:
    """The values are a list in the order of the dimensions, or an object by their names."""
    values = fields.take("values")
    if isinstance(values, Mapping):
        if set(values) != set(dimensions):
            raise fields.refuse("values", "must have a value for each dimension and for nothing else")
        values = [values[name] for name in dimensions]
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise fields.refuse("values", "must be texts")
    row = DimensionPrice(tuple(values), fields.need_number("unit_amount"))
    fields.finish()
    return row


def read_usage(value: Any) -> Usage:
    """What a price is applied to; without a quantity it is the sum of transactions or parts. Raises InvalidQuantity."""
    fields = Fields(value, InvalidQuantity)
    fields.take("meter")
    listed = fields.take_list("transactions")
    transactions = None
    if listed is not None:
        transactions = tuple(fields.read_number(f"transactions[{place}]", each) for place, each in enumerate(listed))
    parts = tuple(fields.take_objects("parts", read_part)) if fields.rest.get("parts") is not None else None
    summed = None
    if transactions is not None or parts is not None:
        summed = add_quantities(transactions if transactions is not None else [part.quantity for part in parts or ()])
    event_count = fields.take_whole("event_count", None if transactions is None else len(transactions))
    if event_count is not None and event_count < 0:
        raise fields.refuse("event_count", "may not be negative")
    usage = Usage(
        quantity=fields.need_number("quantity", summed),
        event_count=event_count,
        transactions=transactions,
        parts=parts,
        tier_quantity=fields.take_number("tier_quantity"),
        part=read_part_of_period(fields),
    )
    fields.finish()
    return usage


def read_part_of_period(fields: Fields) -> Fraction:
    """As `25/28`, or a whole number."""
    text = fields.take_text("part", "1")
    found = PART.fullmatch(text)
    if found is None or not int(found[2] or 1):
        raise fields.refuse("part", "must be a fraction of whole numbers, such as 25/28")
    return Fraction(int(found[1]), int(found[2] or 1))


def read_part(fields: Fields) -> Part:
    values = fields.take("values")
    if not isinstance(values, Mapping) or not all(isinstance(each, str) for each in values.values()):
        raise fields.refuse("values", "must be texts by the name of their dimension")
    part = Part(tuple(sorted(values.items())), fields.need_number("quantity"))
    fields.finish()
    return part


def write_usage(usage: Usage) -> dict[str, Any]:
    """The reverse of read_usage."""
    written: dict[str, Any] = {"quantity": write_number(usage.quantity)}
    if usage.event_count is not None:
        written["event_count"] = usage.event_count
    if usage.transactions is not None:
        written["transactions"] = [write_number(value) for value in usage.transactions]
    if usage.parts is not None:
        written["parts"] = [
            {"values": dict(part.values), "quantity": write_number(part.quantity)} for part in usage.parts
        ]
    if usage.tier_quantity is not None:
        written["tier_quantity"] = write_number(usage.tier_quantity)
    if usage.part != WHOLE:
        written["part"] = str(usage.part)
    return written


def write_price(price: PriceTerms) -> dict[str, Any]:
    """The reverse of read_price; what is as usual is left out."""
    written: dict[str, Any] = {"description": price.description, "model": price.model.value}
    if price.meter_key:
        written["meter"] = price.meter_key
    written |= write_numbers(
        unit_amount=price.unit_amount,
        included_units=price.included_units or None,
        package_size=price.package_size,
        minimum=price.minimum or None,
        cap=price.cap,
    )
    if price.package_size is not None:
        written["package_rounding"] = price.package_rounding.value
    if price.tiers:
        written["tiers"] = [write_tier(tier) for tier in price.tiers]
    if price.conversion is not None:
        written["conversion"] = write_conversion(price.conversion)
    if price.percentage is not None:
        written["percentage"] = write_percentage(price.percentage)
    if price.table:
        written["dimensions"] = list(price.dimensions)
        rows = [{"values": list(row.values)} | write_numbers(unit_amount=row.unit_amount) for row in price.table]
        written["table"] = rows
    if price.first_tier_flat_at_zero:
        written["first_tier_flat_at_zero"] = True
    if price.per_seat:
        written["per_seat"] = True
    if price.charged_by is not ChargedBy.AUTOMATIC:
        written["charged_by"] = price.charged_by.value
    return written


def write_tier(tier: TierTerms) -> dict[str, Any]:
    numbers = write_numbers(
        unit_amount=None if tier.rate_percent is not None else tier.unit_amount,
        flat_amount=tier.flat_amount or None,
        rate_percent=tier.rate_percent,
        package_size=tier.package_size,
    )
    return {"up_to": None if tier.up_to is None else write_number(tier.up_to)} | numbers


def write_conversion(conversion: Conversion) -> dict[str, Any]:
    numbers = write_numbers(multiply_by=conversion.multiply_by, divide_by=conversion.divide_by)
    written = numbers | {"rounding": conversion.rounding.value, "places": conversion.places}
    return written | ({"unit": conversion.unit} if conversion.unit else {})


def write_percentage(terms: PercentageTerms) -> dict[str, Any]:
    written: dict[str, Any] = write_numbers(
        rate_percent=terms.rate_percent,
        fee=terms.fee or None,
        free_amount=terms.free_amount or None,
        minimum=terms.minimum,
        maximum=terms.maximum,
    )
    return written | ({"free_transactions": terms.free_transactions} if terms.free_transactions else {})


def write_number(value: Decimal) -> str:
    return f"{trim(value):f}"


def write_numbers(**numbers: Decimal | None) -> dict[str, str]:
    return {name: write_number(value) for name, value in numbers.items() if value is not None}
