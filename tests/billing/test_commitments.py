from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.commitments import DocumentTotal, TrueUp, total_lines, true_up
from billing.money import round_money
from billing.proration import part_of_days
from billing.taxes import TaxTerms, tax_line


def test_what_is_missing_of_a_commitment_is_asked():
    assert true_up(100_000, 75_000) == TrueUp(promised_minor=100_000, missing_minor=25_000)
    assert true_up(100_000, 0).missing_minor == 100_000


def test_nothing_is_missing_when_enough_was_used():
    assert true_up(100_000, 100_000).missing_minor == 0
    assert true_up(100_000, 100_001).missing_minor == 0


def test_for_a_part_of_the_period_a_part_was_promised():
    assert true_up(1_000_000, 690 + 3_000, part=part_of_days(2, 29)) == TrueUp(68_966, 65_276)
    assert true_up(1_000, 800, part=part_of_days(25, 28)) == TrueUp(893, 93)


def test_usage_is_rounded_first_and_then_subtracted():
    usage = round_money(Decimal("8500.5"), "JPY")
    assert true_up(10_000, usage.minor).missing_minor == 1_499


VAT = [TaxTerms("VAT", Decimal(20))]


def test_a_document_is_the_sum_of_its_lines_and_their_taxes_less_the_credit():
    total = total_lines([tax_line(800, VAT), tax_line(93, VAT)], credit_minor=643)
    assert total == DocumentTotal(net_minor=893, tax_minor=179, credited_minor=643)
    assert (total.gross_minor, total.due_minor) == (1_072, 429)


@pytest.mark.parametrize(("net", "credit", "credited", "due"), [(100, 500, 100, 0), (-100, 500, 0, -100), (0, 5, 0, 0)])
def test_credit_pays_no_more_than_is_due(net, credit, credited, due):
    total = total_lines([tax_line(net, [])], credit_minor=credit)
    assert (total.credited_minor, total.due_minor) == (credited, due)


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
def test_the_total_of_ten_thousand_taxed_lines_is_their_sum(currency):
    exact = [Decimal(number * 7_919 % 100_003).scaleb(-5) for number in range(10_000)]
    lines = [tax_line(round_money(each, currency).minor, [TaxTerms("VAT", Decimal("8.875"))]) for each in exact]
    total = total_lines(lines)
    assert total.net_minor == sum(round_money(each, currency).minor for each in exact)
    assert total.due_minor == sum(line.net_minor + sum(tax.minor for tax in line.taxes) for line in lines)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.fractions(0, 1))
def test_usage_and_what_was_missing_are_never_less_than_promised(promised, billed, part):
    result = true_up(promised, billed, part=part)
    assert billed + result.missing_minor == max(billed, result.promised_minor)
    assert abs(result.promised_minor - promised * Fraction(part)) <= Fraction(1, 2)
