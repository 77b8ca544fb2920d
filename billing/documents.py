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
    asked = list(lines)
    amounts = [max(line.amount_minor, 0) if line.kind in LINES_OF_PLAN else 0 for line in asked]
    shares = share_discounts(amounts, discounts)
    off = [sum(share[place] for share in shares) for place in range(len(asked))]
    return tuple(
        replace(line, position=position, discount_minor=part, taxes=list_taxes(line.amount_minor - part, taxes))
        for position, (line, part) in enumerate(zip(asked, off, strict=True), start=first)
    )


def ask_taxes(line: LineFact, taxes: Sequence[TaxTerms]) -> LineFact:
    return replace(line, taxes=list_taxes(line.amount_minor - line.discount_minor, taxes))


def list_taxes(amount_minor: int, taxes: Sequence[TaxTerms]) -> tuple[LineTax, ...]:
    parts = zip(taxes, tax_line(amount_minor, taxes).taxes, strict=True)
    return tuple(LineTax(terms.name, terms.percent, terms.is_inclusive, part.minor) for terms, part in parts)


def add_up(lines: Iterable[LineFact]) -> DocumentSums:
    asked = list(lines)
    return DocumentSums(
        discount_minor=sum(line.discount_minor for line in asked),
        subtotal_minor=sum(line.subtotal_minor for line in asked),
        tax_minor=sum(line.tax_minor for line in asked),
    )
