"""What we put onto Stripe's invoice so that it asks exactly what Palier's does. Pure: nothing is read or sent.

Stripe's meters charge some of our lines themselves, in full. Of these we add the discount, as a line below zero, and
say the taxes; of all others the whole line, net of its discount. What credit pays is a line below zero; what an invoice
below zero gives as credit one above, so that Stripe's never comes to less than nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.stripe.charging.amounts import find_askable, find_step, write_minor


@dataclass(frozen=True, slots=True)
class TaxFact:
    """One tax on a line, in smallest units; an inclusive one is held in the line's amount."""

    name: str
    percent: Decimal
    is_inclusive: bool
    minor: int


@dataclass(frozen=True, slots=True)
class LineAsked:
    """A line of an issued invoice, in smallest units: of `amount_minor` comes the discount, then the taxes."""

    position: int
    description: str
    amount_minor: int
    discount_minor: int
    taxes: tuple[TaxFact, ...]
    start: datetime
    end: datetime

    @property
    def asked_minor(self) -> int:
        return self.amount_minor - self.discount_minor

    @property
    def added_minor(self) -> int:
        """The taxes that come on top."""
        return sum(tax.minor for tax in self.taxes if not tax.is_inclusive)

    @property
    def net_minor(self) -> int:
        return self.asked_minor - sum(tax.minor for tax in self.taxes if tax.is_inclusive)


@dataclass(frozen=True, slots=True)
class Asked:
    """An issued invoice: its lines add up to its total. Credit pays `credited_minor` (below zero: is given)."""

    id: int
    currency: str
    lines: tuple[LineAsked, ...]
    credited_minor: int
    due_minor: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Wording:
    """How lines are called that no line of the invoice is: in the customer's language."""

    discount: str  # "%s" is the line that it is off
    credit: str
    credit_given: str
    rounding: str
    tax: str  # "%s" is the line that it is on
    usage: str


@dataclass(frozen=True, slots=True)
class OurTax:
    """In Stripe's units."""

    name: str
    percent: Decimal
    is_inclusive: bool
    amount: int
    taxable: int


@dataclass(frozen=True, slots=True)
class OurLine:
    """A line to be added, in Stripe's units. `key` names it for ever: it is in the line's metadata."""

    key: str
    description: str
    amount: int
    taxes: tuple[OurTax, ...]
    start: datetime
    end: datetime

    @property
    def total(self) -> int:
        return self.amount + sum(tax.amount for tax in self.taxes if not tax.is_inclusive)


@dataclass(frozen=True, slots=True)
class MeteredLine:
    """What Stripe's meters have to charge of a line by themselves, and the taxes that we say are on it."""

    position: int
    amount: int
    taxes: tuple[OurTax, ...]

    @property
    def added(self) -> int:
        return sum(tax.amount for tax in self.taxes if not tax.is_inclusive)


@dataclass(frozen=True, slots=True)
class Composed:
    """`lines` and what `metered` come to, with their taxes, add up to `total`: what Stripe has to ask.

    `unasked_minor` is what of the invoice Stripe cannot ask, in our smallest units: below its smallest amount.
    """

    lines: tuple[OurLine, ...]
    metered: tuple[MeteredLine, ...]
    total: int
    unasked_minor: int


def compose_lines(asked: Asked, metered: Collection[int], words: Wording) -> Composed:
    """`metered` are the positions of those lines that Stripe's meters charge. Lines that ask nothing are left out."""
    currency = asked.currency
    charged = tuple(describe_metered(line, currency) for line in asked.lines if line.position in metered)
    lines = [line for each in asked.lines for line in list_lines(asked, each, each.position in metered, words)]
    total = write_minor(find_askable(asked.due_minor, currency), currency)
    known = sum(line.total for line in lines) + sum(line.amount + line.added for line in charged)
    if asked.credited_minor:
        paid = write_minor(asked.credited_minor, currency)
        lines.append(make_line(asked, "credit", words.credit if paid > 0 else words.credit_given, -paid))
        known -= paid
    if find_step(currency) > 1 and known != total:
        lines.append(make_line(asked, "rounding", words.rounding, total - known))
    return Composed(tuple(lines), charged, total, asked.due_minor - find_askable(asked.due_minor, currency))


def compose_rest(
    asked: Asked, composed: Composed, present: Collection[str], words: Wording, *, total: int
) -> tuple[OurLine, ...]:
    """What makes up `total` of an invoice that Stripe finalised as it was, with `present` of our lines on it: the lines
    that are not, the taxes of what its meters charged, and usage that those did not have by then.
    """
    by_position = {line.position: line for line in asked.lines}
    lines = [line for line in composed.lines if line.key not in present]
    for line in composed.metered:
        if line.added:
            about = by_position[line.position]
            key = name_line(asked.id, f"{line.position}:tax")
            lines.append(OurLine(key, words.tax % about.description, line.added, (), about.start, about.end))
    known = sum(line.total for line in lines)
    if known != total:
        lines.append(make_line(asked, "usage", words.usage, total - known))
    return tuple(lines)


def list_lines(asked: Asked, line: LineAsked, is_metered: bool, words: Wording) -> Iterator[OurLine]:
    """At most one."""
    if is_metered and line.discount_minor:
        key = name_line(asked.id, f"{line.position}:discount")
        amount = -write_minor(line.discount_minor, asked.currency)
        yield OurLine(key, words.discount % line.description, amount, (), line.start, line.end)
    elif not is_metered and (line.asked_minor or line.added_minor):
        key = name_line(asked.id, str(line.position))
        amount = write_minor(line.asked_minor, asked.currency)
        yield OurLine(key, line.description, amount, write_taxes(line, asked.currency), line.start, line.end)


def describe_metered(line: LineAsked, currency: str) -> MeteredLine:
    return MeteredLine(line.position, write_minor(line.amount_minor, currency), write_taxes(line, currency))


def write_taxes(line: LineAsked, currency: str) -> tuple[OurTax, ...]:
    """None of a line on which no tax comes to anything."""
    if not any(tax.minor for tax in line.taxes):
        return ()
    taxable = write_minor(line.net_minor, currency)
    return tuple(
        OurTax(tax.name, tax.percent, tax.is_inclusive, write_minor(tax.minor, currency), taxable) for tax in line.taxes
    )


def make_line(asked: Asked, name: str, description: str, amount: int) -> OurLine:
    return OurLine(name_line(asked.id, name), description, amount, (), asked.start, asked.end)


def name_line(invoice_id: int, name: str) -> str:
    return f"{invoice_id}:{name}"


def pick_missing(lines: Sequence[OurLine], present: Iterable[str]) -> tuple[OurLine, ...]:
    """Those that are not on Stripe's invoice yet."""
    there = set(present)
    return tuple(line for line in lines if line.key not in there)
