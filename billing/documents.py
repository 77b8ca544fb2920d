"""From amounts to what a document asks: discounts first, then taxes, each rounded on its line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from billing.discounts import Discount, share_discounts
from billing.lines import LineFact, LineTax
from billing.models import LINES_OF_PLAN
from billing.taxes import TaxTerms, tax_line


@dataclass(frozen=True, slots=True)
class DocumentSums:
    """The sums over lines, in smallest units. `total_minor` is subtotal and tax."""

    discount_minor: int
    subtotal_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor + self.tax_minor


def compose_lines(
    lines: Iterable[LineFact], *, taxes: Sequence[TaxTerms], discounts: Sequence[Discount] = (), first: int = 1
) -> tuple[LineFact, ...]:
    """Lines with discounts taken off and taxes asked, numbered from `first` on.

    Discounts are taken one after another, of what the ones before left, and of prices and add-ons alone: what an item
    bills was discounted when it was written, if at all.
    """
    priced = [replace(line, position=position) for position, line in enumerate(lines, start=first)]
    amounts = [max(line.amount_minor, 0) if line.kind in LINES_OF_PLAN else 0 for line in priced]
    shares = share_discounts(amounts, discounts)
    off = [sum(share[place] for share in shares) for place in range(len(priced))]
    return tuple(ask_taxes(replace(line, discount_minor=part), taxes) for line, part in zip(priced, off, strict=True))


def ask_taxes(line: LineFact, taxes: Sequence[TaxTerms]) -> LineFact:
    taxed = tax_line(line.amount_minor - line.discount_minor, taxes)
    parts = zip(taxes, taxed.taxes, strict=True)
    return replace(
        line, taxes=tuple(LineTax(terms.name, terms.percent, terms.is_inclusive, part.minor) for terms, part in parts)
    )


def add_up(lines: Iterable[LineFact]) -> DocumentSums:
    asked = list(lines)
    return DocumentSums(
        discount_minor=sum(line.discount_minor for line in asked),
        subtotal_minor=sum(line.subtotal_minor for line in asked),
        tax_minor=sum(line.tax_minor for line in asked),
    )
