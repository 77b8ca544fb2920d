"""The lines of a bill: each price of a plan applied to what was used, the same for the live cost and the invoice."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.details import PLAIN, Details
from billing.holdings import Held
from billing.models import LINE_OF_ADD_ON, LINE_OF_PRICE, CreditNoteLine, InvoiceKind, InvoiceLine, InvoiceState
from billing.money import Money, add_money
from billing.plans import PlanTerms
from billing.proration import WHOLE
from billing.rating import ONE, AmountTooLarge, InvalidQuantity, PriceTerms, Step, Usage, rate, read_steps
from billing.rating.definitions import read_usage, write_usage
from metering.usage import Reading

TOO_MUCH = (AmountTooLarge, InvalidQuantity)  # more than an invoice can hold: a person has to look at it


@dataclass(frozen=True, slots=True)
class LineTax:
    """What one tax comes to on a line, in smallest units; the line's amount holds it already where it is inclusive."""

    name: str
    percent: Decimal
    is_inclusive: bool
    minor: int


@dataclass(frozen=True, slots=True)
class LineFact:
    """One rounded amount, and the steps that led to it.

    A flat fee has quantity 1, or that of seats, and neither meter, unit nor event count. `amount_exact` is in whole
    units of the currency, `amount_minor` in its smallest. `usage` is the quantity with what else the price looked at.
    `kind` is `price`, `add_on`, or that of the item which the line bills; then `period` says what it is for, where that
    is not the invoice's period. `event_digest` is that of the events it prices (`metering.seals`), in hexadecimal,
    where the reading tells it.
    """

    position: int
    description: str
    meter_id: int | None
    meter_key: str | None
    meter_name: str
    unit: str
    quantity: Decimal
    event_count: int | None
    steps: tuple[Step, ...]
    amount_exact: Decimal
    amount_minor: int
    usage: Usage | None = None
    kind: str = LINE_OF_PRICE
    discount_minor: int = 0
    taxes: tuple[LineTax, ...] = ()
    period: tuple[datetime, datetime] | None = None
    event_digest: str | None = None

    @property
    def tax_minor(self) -> int:
        return sum(tax.minor for tax in self.taxes)

    @property
    def total_minor(self) -> int:
        """With tax, in the smallest unit: what the line asks."""
        added = sum(tax.minor for tax in self.taxes if not tax.is_inclusive)
        return self.amount_minor - self.discount_minor + added

    @property
    def subtotal_minor(self) -> int:
        """Without tax."""
        return self.total_minor - self.tax_minor


@dataclass(frozen=True, slots=True)
class LineRef:
    """Where a quantity was billed: the line of an issued invoice for [period_start, period_end)."""

    number: str
    position: int
    description: str
    period_start: datetime
    period_end: datetime
    issued_at: datetime


def rate_readings(
    terms: PlanTerms, readings: Iterable[Reading], details: Details = PLAIN, *, held: Held, part: Fraction = WHOLE
) -> tuple[LineFact, ...]:
    """One line for each price, in the plan's order; also where nothing was used, so that it shows what was free. Then
    one for each add-on that is held.

    `details` are those of read_details for the same plan, account and window, `held` what the period has, `part` that
    which it is of a whole one: so much of their minimum and cap prices have. Raises AmountTooLarge, InvalidQuantity,
    and MissingReading where the details lack what a price needs.
    """
    by_meter = {reading.meter_key: reading for reading in readings}
    priced = [
        rate_line(
            position,
            price,
            by_meter[price.meter_key] if price.meter_key else None,
            details,
            terms.currency,
            seats=held.seat_quantity,
            part=part,
        )
        for position, price in enumerate(terms.prices, start=1)
    ]
    return (*priced, *rate_add_ons(terms, held, first=len(priced) + 1))


def rate_add_ons(terms: PlanTerms, held: Held, *, first: int) -> Iterator[LineFact]:
    """What the version does not offer it does not bill."""
    counts = [(each, held.count_add_on(each.key)) for each in terms.add_ons]
    for position, (add_on, count) in enumerate((pair for pair in counts if pair[1]), start=first):
        rated = add_on.rate(count)
        yield make_unmetered_line(
            position=position,
            description=add_on.description,
            quantity=rated.quantity,
            steps=rated.steps,
            amount_exact=rated.amount_exact,
            amount_minor=rated.round(terms.currency).minor,
            kind=LINE_OF_ADD_ON,
        )


def make_unmetered_line(
    *,
    description: str,
    quantity: Decimal,
    steps: tuple[Step, ...],
    amount_exact: Decimal,
    amount_minor: int,
    kind: str,
    position: int = 0,
    period: tuple[datetime, datetime] | None = None,
) -> LineFact:
    """A line over something else than usage; compose_lines gives it its place."""
    return LineFact(
        position=position,
        description=description,
        meter_id=None,
        meter_key=None,
        meter_name="",
        unit="",
        quantity=quantity,
        event_count=None,
        steps=steps,
        amount_exact=amount_exact,
        amount_minor=amount_minor,
        kind=kind,
        period=period,
    )


def rate_line(
    position: int,
    price: PriceTerms,
    reading: Reading | None,
    details: Details,
    currency: str,
    *,
    seats: Decimal,
    part: Fraction = WHOLE,
) -> LineFact:
    used = details.state_usage(price, reading) if reading else Usage(seats if price.per_seat else ONE)
    if price.is_bounded:
        used = replace(used, part=part)
    rated = rate(price, used)
    return LineFact(
        position=position,
        description=price.description,
        meter_id=reading.meter_id if reading else None,
        meter_key=reading.meter_key if reading else None,
        meter_name=reading.meter_name if reading else "",
        unit=reading.unit if reading else "",
        quantity=rated.quantity,
        event_count=reading.event_count if reading else None,
        steps=rated.steps,
        amount_exact=rated.amount_exact,
        amount_minor=rated.round(currency).minor,
        usage=used,
        event_digest=write_digest(reading.digest) if reading and reading.digest is not None else None,
    )


def write_digest(digest: int) -> str:
    """In hexadecimal, 64 digits."""
    return f"{digest:064x}"


def add_lines(lines: Iterable[LineFact], currency: str) -> Money:
    """The total of a bill: the sum of its rounded lines."""
    return add_money((Money(line.amount_minor, currency) for line in lines), currency)


def describe_line(line: InvoiceLine) -> LineFact:
    """A stored line as it was frozen; only the meter's name is today's."""
    return LineFact(
        position=line.position,
        description=line.description,
        meter_id=line.meter_id,
        meter_key=line.meter.key if line.meter else None,
        meter_name=line.meter.name if line.meter else "",
        unit=line.unit,
        quantity=line.quantity,
        event_count=line.event_count,
        steps=read_steps(line.steps),
        amount_exact=line.amount_exact,
        amount_minor=line.amount_minor,
        usage=read_line_usage(line) if line.kind == LINE_OF_PRICE else None,
        kind=line.kind,
        discount_minor=line.discount_minor,
        taxes=read_taxes(line),
        period=(line.period_start, line.period_end) if line.period_start and line.period_end else None,
        event_digest=line.event_digest,
    )


def read_taxes(line: InvoiceLine | CreditNoteLine) -> tuple[LineTax, ...]:
    return tuple(LineTax(tax["name"], Decimal(tax["percent"]), tax["is_inclusive"], tax["minor"]) for tax in line.taxes)


def write_taxes(taxes: Iterable[LineTax]) -> list[dict[str, Any]]:
    return [
        {"name": tax.name, "percent": f"{tax.percent:f}", "is_inclusive": tax.is_inclusive, "minor": tax.minor}
        for tax in taxes
    ]


def read_line_usage(line: InvoiceLine) -> Usage:
    """What a stored line priced, whole: the plan's price makes its amount of it again."""
    if not line.detail:
        return Usage(line.quantity, line.event_count)
    return read_usage({**line.detail, "quantity": f"{line.quantity:f}", "event_count": line.event_count})


def write_detail(line: LineFact) -> dict[str, Any]:
    """What of the usage a line keeps beside quantity and event count."""
    if line.usage is None:
        return {}
    written = write_usage(line.usage)
    return {name: written[name] for name in ("parts", "transactions", "part") if name in written}


def find_lines(*, account_id: int, moment: datetime) -> dict[int, LineRef]:
    """meter id → the line that bills what the account used of the meter at that time. One query.

    Meters that no issued invoice bills for that time are left out, and so are void invoices. Usage that came after the
    invoice was issued is not part of its line.
    """
    lines = InvoiceLine.objects.filter(
        invoice__account_id=account_id,
        invoice__number__isnull=False,
        invoice__period_start__lte=moment,
        invoice__period_end__gt=moment,
        invoice__kind=InvoiceKind.PERIOD,
        meter__isnull=False,
    ).exclude(invoice__state=InvoiceState.VOID)
    found = {}
    for line in lines.select_related("invoice").order_by("invoice__issued_at", "-position"):
        invoice = line.invoice
        if line.meter_id is not None and invoice.number is not None and invoice.issued_at is not None:
            found[line.meter_id] = LineRef(
                number=invoice.number,
                position=line.position,
                description=line.description,
                period_start=invoice.period_start,
                period_end=invoice.period_end,
                issued_at=invoice.issued_at,
            )
    return found
