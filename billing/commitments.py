"""What is owed at least, and what a document comes to: pure. No Django here.

Amounts are in smallest units of one currency: usage is rounded first, line by line, and only then set against it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from billing.proration import WHOLE, prorate
from billing.taxes import TaxedLine


@dataclass(frozen=True, slots=True)
class TrueUp:
    """What was promised for the period, and what is missing of it: zero when enough was used."""

    promised_minor: int
    missing_minor: int


@dataclass(frozen=True, slots=True)
class DocumentTotal:
    """What the lines come to with their taxes, what of it is paid by credit, and what remains to be paid."""

    net_minor: int
    tax_minor: int
    credited_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor

    @property
    def due_minor(self) -> int:
        return self.gross_minor - self.credited_minor


def true_up(promised_minor: int, billed_minor: int, *, part: Fraction = WHOLE) -> TrueUp:
    """Raise what was billed, the rounded lines, to a minimum or a commitment.

    `part` is the part of the whole period for which it was promised; that much of it is rounded, then compared.
    """
    promised = prorate(promised_minor, part)
    return TrueUp(promised, max(0, promised - billed_minor))


def total_lines(lines: Iterable[TaxedLine], *, credit_minor: int = 0) -> DocumentTotal:
    """Add up the lines of a document, and pay of it what the credit at hand allows: nothing is ever due below zero.

    What a document that comes to less than zero gives back is not paid by credit.
    """
    taxed = list(lines)
    net, tax = sum(line.net_minor for line in taxed), sum(line.tax_minor for line in taxed)
    return DocumentTotal(net, tax, credited_minor=max(0, min(credit_minor, net + tax)))
