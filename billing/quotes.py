"""Prices that are in no plan yet, applied to readings that nobody made: lines to look at before anything is stored."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from billing.holdings import InvalidSeats, check_seats
from billing.money import UnknownCurrency, find_exponent
from billing.rating import InvalidPrice, InvalidQuantity, PriceTerms, Usage, rate
from billing.rating.definitions import read_price, read_usage, within
from billing.rating.digits import AmountTooLarge
from billing.rating.steps import RatedLine, write_step
from billing.wording import explain_steps


def quote(request: Any) -> dict[str, Any]:
    """`{"currency", "price" or "prices", "reading" or "readings", "seats"}` → lines with steps, and their total.

    A fee by seat is asked for one unless `seats` says how many. A reading without a `meter` is for every price that has
    one; a price that no reading is for prices nothing used. Amounts are text: exact, and rounded once per line. Raises
    InvalidPrice and InvalidQuantity with the field.
    """
    if not isinstance(request, dict):
        raise InvalidPrice("A quote is asked for by an object.", "")
    for name in request:
        if name not in ("currency", "price", "prices", "reading", "readings", "seats"):
            raise InvalidPrice(f"{name} is no field of this.", name)
    currency = read_currency(request)
    prices = [read_one_price(path, value, currency) for path, value in list_items(request, "price", "prices")]
    if not prices:
        raise InvalidPrice("price is missing.", "price")
    readings = list(read_readings(request, {price.meter_key for _, price in prices}))
    seats = read_seats(request)
    lines = []
    for path, price in prices:
        for usage in find_usages(price, readings, seats):
            with within(path):
                lines.append((price, rate_one(price, usage)))
    total = sum(line.round(currency).amount for _, line in lines)
    return {
        "currency": currency,
        "lines": [write_line(price, line, currency) for price, line in lines],
        "total": f"{total:f}",
    }


def read_currency(request: dict[str, Any]) -> str:
    """Every price of a quote is in its currency."""
    currency = request.get("currency")
    if currency is None:
        prices = [price for _, price in list_items(request, "price", "prices") if isinstance(price, dict)]
        currency = next((price["currency"] for price in prices if price.get("currency") is not None), None)
    if currency is None:
        raise InvalidPrice("currency is missing.", "currency")
    try:
        find_exponent(currency)
    except (UnknownCurrency, TypeError):
        raise InvalidPrice(f"{currency!r} is not a currency code of ISO 4217.", "currency") from None
    return str(currency)


def list_items(request: dict[str, Any], one: str, many: str) -> Iterator[tuple[str, Any]]:
    """(where it is, what it is) of what may be given once or as a list."""
    if request.get(one) is not None:
        yield one, request[one]
    several = request.get(many)
    if several is not None and not isinstance(several, list):
        raise InvalidPrice(f"{many} must be a list.", many)
    for number, each in enumerate(several or ()):
        yield f"{many}[{number}]", each


def read_one_price(path: str, value: Any, currency: str) -> tuple[str, PriceTerms]:
    with within(path):
        if isinstance(value, dict) and "currency" in value:
            value = dict(value)
            own = value.pop("currency")
            if own != currency:
                raise InvalidPrice(f"The price is in {own!r}, the quote in {currency}.", "currency")
        return path, read_price(value)


def read_readings(request: dict[str, Any], meters: set[str | None]) -> Iterator[tuple[str | None, Usage]]:
    for path, value in list_items(request, "reading", "readings"):
        with within(path):
            usage = read_usage(value)
            meter = value.get("meter")
            if meter is not None and meter not in meters:
                raise InvalidQuantity(f"No price is for the meter {meter!r}.", "meter")
        yield meter, usage


def read_seats(request: dict[str, Any]) -> Usage:
    try:
        return Usage(Decimal(check_seats(request.get("seats", 1))))
    except InvalidSeats as error:
        raise InvalidQuantity(str(error), "seats") from None


def find_usages(price: PriceTerms, readings: list[tuple[str | None, Usage]], seats: Usage) -> list[Usage]:
    if price.per_seat:
        return [seats]
    if price.meter_key is None:
        return [Usage.of_nothing()]
    return [usage for meter, usage in readings if meter in (None, price.meter_key)] or [Usage.of_nothing()]


def rate_one(price: PriceTerms, usage: Usage) -> RatedLine:
    try:
        return rate(price, usage)
    except AmountTooLarge as error:
        raise InvalidQuantity(str(error)) from error


def write_line(price: PriceTerms, line: RatedLine, currency: str) -> dict[str, Any]:
    sentences = explain_steps(line.steps, "", currency)
    return {
        "description": price.description,
        "meter": price.meter_key,
        "quantity": f"{line.quantity:f}",
        "charged_units": f"{line.charged_units:f}",
        "amount_exact": f"{line.amount_exact:f}",
        "amount": f"{line.round(currency).amount:f}",
        "steps": [write_step(step) | {"text": text} for step, text in zip(line.steps, sentences, strict=True)],
    }
