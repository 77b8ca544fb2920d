from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.discounts import Discount
from billing.documents import compose_lines as compose_document
from billing.lines import LineFact, make_unmetered_line
from billing.money import Money
from billing.stripe.charging.amounts import find_step
from billing.stripe.charging.composing import (
    Asked,
    LineAsked,
    OurLine,
    TaxFact,
    Wording,
    compose_lines,
    compose_rest,
    pick_missing,
)
from billing.taxes import TaxTerms

JAN, FEB = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
WORDS = Wording("Discount: %s", "Credit", "Credit given", "Rounding", "Tax: %s", "Usage")
VAT, HELD = TaxTerms("VAT", Decimal(19)), TaxTerms("TVA", Decimal(20), is_inclusive=True)
KINDS = ["price", "add_on", "one_off", "true_up", "late", "prebilled", "proration"]


def make_fact(amount_minor: int, currency: str = "EUR", kind: str = "price") -> LineFact:
    amount = Money(amount_minor, currency)
    return make_unmetered_line(
        description=f"{kind} {amount_minor}",
        quantity=Decimal(1),
        steps=(),
        amount_exact=amount.amount,
        amount_minor=amount_minor,
        kind=kind,
    )


def ask(facts, *, currency="EUR", taxes=(), discounts=(), credited=None) -> Asked:
    """The invoice that billing makes of these lines; `credited` is a share of its total in percent."""
    lines = tuple(
        LineAsked(
            line.position,
            line.description,
            line.amount_minor,
            line.discount_minor,
            tuple(TaxFact(tax.name, tax.percent, tax.is_inclusive, tax.minor) for tax in line.taxes),
            JAN,
            FEB,
        )
        for line in compose_document(facts, taxes=taxes, discounts=discounts)
    )
    total = sum(line.asked_minor + line.added_minor for line in lines)
    paid = total if total < 0 else total * (credited or 0) // 100
    return Asked(7, currency, lines, paid, total - paid, JAN, FEB)


def tell(lines):
    return [(line.key, line.description, line.amount) for line in lines]


def test_all_that_no_meter_charges_is_a_line_net_of_its_discount():
    asked = ask([make_fact(4900), make_fact(1000, kind="one_off")], discounts=[Discount(percent=Decimal(10))])
    composed = compose_lines(asked, (), WORDS)
    assert tell(composed.lines) == [("7:1", "price 4900", 4410), ("7:2", "one_off 1000", 1000)]
    assert (composed.metered, composed.total) == ((), 5410)


def test_of_a_metered_line_we_add_the_discount_and_say_the_taxes():
    asked = ask([make_fact(1000), make_fact(0)], taxes=[VAT], discounts=[Discount(percent=Decimal(25))])
    composed = compose_lines(asked, {1}, WORDS)
    assert tell(composed.lines) == [("7:1:discount", "Discount: price 1000", -250)]
    metered = composed.metered[0]
    assert (metered.position, metered.amount, metered.added, composed.total) == (1, 1000, 143, 893)
    assert [(tax.amount, tax.taxable, tax.is_inclusive) for tax in metered.taxes] == [(143, 750, False)]


def test_an_inclusive_tax_is_said_and_adds_nothing():
    line = compose_lines(ask([make_fact(1200)], taxes=[HELD]), (), WORDS).lines[0]
    assert (line.amount, line.total) == (1200, 1200)
    assert [(tax.name, tax.amount, tax.taxable) for tax in line.taxes] == [("TVA", 200, 1000)]


def test_what_credit_pays_is_taken_off():
    composed = compose_lines(ask([make_fact(1000)], credited=40), {1}, WORDS)
    assert (tell(composed.lines), composed.total) == ([("7:credit", "Credit", -400)], 600)


def test_an_invoice_below_zero_asks_nothing():
    composed = compose_lines(ask([make_fact(300), make_fact(-500, kind="prebilled")]), {1}, WORDS)
    assert tell(composed.lines) == [("7:2", "prebilled -500", -500), ("7:credit", "Credit given", 200)]
    assert composed.total == 0


def test_what_stripe_cannot_ask_of_a_currency_is_told():
    composed = compose_lines(ask([make_fact(1234, "KWD")], currency="KWD"), (), WORDS)
    assert tell(composed.lines) == [("7:1", "price 1234", 1234), ("7:rounding", "Rounding", -4)]
    assert (composed.total, composed.unasked_minor) == (1230, 4)


def test_what_is_on_stripes_invoice_already_is_not_added_again():
    composed = compose_lines(ask([make_fact(100), make_fact(200)]), (), WORDS)
    assert [line.key for line in pick_missing(composed.lines, ["7:1"])] == ["7:2"]


def test_lines_that_do_not_add_up_are_not_papered_over():
    asked = replace(ask([make_fact(100)]), due_minor=90)
    composed = compose_lines(asked, (), WORDS)
    assert (sum(line.total for line in composed.lines), composed.total) == (100, 90)


@pytest.mark.parametrize("taxes", [(), (VAT,), (HELD,), (VAT, HELD)])
def test_what_came_too_late_is_asked_apart(taxes):
    asked = ask([make_fact(1000), make_fact(500), make_fact(70)], taxes=taxes)
    composed = compose_lines(asked, {1}, WORDS)
    there = next(line.total for line in composed.lines if line.key == "7:2")
    left = composed.total - 1000 - there
    rest = compose_rest(asked, composed, {"7:2"}, WORDS, total=left)
    assert sum(line.total for line in rest) == left
    assert [line.key for line in rest if line.key != "7:1:tax"] == ["7:3"]


def test_usage_that_stripe_did_not_have_is_asked_as_well():
    asked = ask([make_fact(1000), make_fact(500)])
    rest = compose_rest(asked, compose_lines(asked, {1}, WORDS), set(), WORDS, total=600)
    assert tell(rest) == [("7:2", "price 500", 500), ("7:usage", "Usage", 100)]


AMOUNTS = st.integers(-(10**9), 10**10)
TAXES = st.lists(st.builds(TaxTerms, st.just("tax"), st.decimals(0, 30, places=4), st.booleans()), max_size=3)
DISCOUNTS = st.lists(
    st.builds(Discount, percent=st.decimals(0, 100, places=4))
    | st.builds(Discount, amount_minor=st.integers(0, 10**9)),
    max_size=2,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(AMOUNTS, st.sampled_from(KINDS)), max_size=8),
    st.sampled_from(["EUR", "JPY", "KWD", "ISK", "MGA"]),
    TAXES,
    DISCOUNTS,
    st.integers(0, 100),
    st.sets(st.integers(1, 8)),
    st.sets(st.integers(0, 12)),
)
def test_our_lines_and_stripes_metered_ones_are_what_is_due(
    rows, currency, taxes, discounts, credited, metered, present
):
    facts = [make_fact(amount, currency, kind) for amount, kind in rows]
    asked = ask(facts, currency=currency, taxes=taxes, discounts=discounts, credited=credited)
    is_charged = {} if currency == "MGA" else {line.position for line in asked.lines if line.position in metered}
    composed = compose_lines(asked, is_charged, WORDS)
    charged = sum(line.amount + line.added for line in composed.metered)
    assert sum(line.total for line in composed.lines) + charged == composed.total
    assert composed.total >= 0
    assert 0 <= composed.unasked_minor < find_step(currency)
    assert len({line.key for line in composed.lines}) == len(composed.lines)
    there: list[OurLine] = [line for place, line in enumerate(composed.lines) if place in present]
    asked_so_far = sum(line.amount for line in composed.metered) + sum(line.total for line in there)
    keys, left = {line.key for line in there}, composed.total - asked_so_far
    rest = compose_rest(asked, composed, keys, WORDS, total=left)
    assert sum(line.total for line in rest) == left
    assert "usage" not in {line.key.partition(":")[2] for line in rest}
