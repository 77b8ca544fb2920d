"""Tax on a line: pure, rounded once per line and rate. No Django here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.money import EXACT, allocate, round_minor

HUNDRED = 100
PERCENT_PLACES = 4  # as stored
COUNTRY = re.compile("[A-Z]{2}")
ZERO = Decimal(0)


class InvalidTax(ValueError):
    """A tax that cannot be asked; the message says why."""


class InvalidCountry(ValueError):
    """A country is named by its two letters of ISO 3166."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{code!r} is not a country code of ISO 3166, which is two capital letters.")


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """One tax: so many percent of the net amount; of an inclusive one the price holds it already."""

    name: str
    percent: Decimal
    is_inclusive: bool = False

    def __post_init__(self) -> None:
        if not self.percent.is_finite() or not 0 <= self.percent <= HUNDRED:
            raise InvalidTax(f"{self.name}: a tax is between 0 and 100 percent, not {self.percent}.")
        if int(self.percent.normalize().as_tuple().exponent) < -PERCENT_PLACES:
            raise InvalidTax(f"{self.name}: {self.percent} percent has more than {PERCENT_PLACES} decimals.")


@dataclass(frozen=True, slots=True)
class TaxPart:
    """What one tax comes to on a line, in smallest units."""

    name: str
    percent: Decimal
    minor: int


@dataclass(frozen=True, slots=True)
class TaxedLine:
    """A line's amount without tax, and each tax on it, in smallest units."""

    net_minor: int
    taxes: tuple[TaxPart, ...] = ()

    @property
    def tax_minor(self) -> int:
        return sum(tax.minor for tax in self.taxes)

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor


def tax_line(amount_minor: int, terms: Iterable[TaxTerms]) -> TaxedLine:
    """The taxes on a line's rounded amount, which may be negative: a credit gives back the tax that was charged.

    Inclusive taxes are taken out of the amount together: net = amount × 100 / (100 + their percents). What was rounded
    off is shared between them, so that net and taxes are the amount again. The others are asked on top of the net
    amount, each on its own; no tax is taxed. Each part is rounded half away from zero.
    """
    asked = tuple(terms)
    inclusive = [tax.percent for tax in asked if tax.is_inclusive]
    net = amount_minor
    if inclusive:
        net = round_minor(amount_minor * Fraction(HUNDRED) / (HUNDRED + Fraction(sum(inclusive, start=ZERO))))
    held = amount_minor - net
    within = iter(allocate(held, inclusive) if held else (0,) * len(inclusive))
    return TaxedLine(
        net_minor=net,
        taxes=tuple(
            TaxPart(tax.name, tax.percent, next(within) if tax.is_inclusive else take_percent(net, tax.percent))
            for tax in asked
        ),
    )


def take_percent(amount_minor: int, percent: Decimal) -> int:
    """So many percent of an amount, rounded half away from zero."""
    return round_minor(EXACT.multiply(Decimal(amount_minor), percent).scaleb(-2, EXACT))


def check_country(code: str) -> None:
    """Raise InvalidCountry for what is not the two capital letters of a code."""
    if not COUNTRY.fullmatch(code):
        raise InvalidCountry(code)
