import pytest

from billing.rating import HourTerms, InvalidPrice, WindowCharge, WindowTerms, charge_window, charge_windows
from tests.billing.rating.shapes import D, make_price, make_tiers

TWO = make_price("per_unit", unit_amount=D(2))
PROMISED = WindowTerms(TWO, commitment_amount=D(10), overage_factor=D(2), true_up=True)


@pytest.mark.parametrize(
    ("quantity", "charge"),
    [
        ("2", WindowCharge(D(4), D(0), D(6))),
        ("5", WindowCharge(D(10), D(0), D(0))),
        ("8", WindowCharge(D(10), D(12), D(0))),
        ("0", WindowCharge(D(0), D(0), D(10))),
    ],
)
def test_a_window_pays_its_commitment_and_more_beyond_it(quantity, charge):
    assert charge_window(PROMISED, D(quantity)) == charge


def test_without_true_up_only_what_was_used_is_paid():
    assert charge_window(WindowTerms(TWO, commitment_amount=D(10)), D(2)).total == 4


def test_without_a_commitment_every_use_costs_its_price():
    assert charge_window(WindowTerms(TWO, overage_factor=D(9)), D(8)) == WindowCharge(D(16), D(0), D(0))


def test_a_quantity_that_was_promised_is_worth_its_price():
    tiered = make_price("graduated", tiers=make_tiers(("2", "3", "0"), (None, "1", "0")))
    terms = WindowTerms(tiered, commitment_quantity=D(4), overage_factor=D("1.5"))
    assert terms.commitment == 8
    assert charge_window(terms, D(10)) == WindowCharge(D(8), D(9), D(0))


def test_hours_of_the_day_may_have_terms_of_their_own():
    night = HourTerms(22, 6, WindowTerms(make_price("per_unit", unit_amount=D(1))))
    day = WindowTerms(TWO)
    used = [(hour, D(1)) for hour in (0, 5, 6, 21, 22, 23)]
    assert charge_windows(day, used, by_hour=[night]).total == 4 * 1 + 2 * 2


def test_the_first_terms_that_hold_an_hour_are_the_ones():
    cheap, dear = (WindowTerms(make_price("per_unit", unit_amount=D(each))) for each in (1, 9))
    by_hour = [HourTerms(9, 12, cheap), HourTerms(0, 24, dear)]
    assert charge_windows(PROMISED, [(9, D(1)), (12, D(1))], by_hour=by_hour).total == 10


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"commitment_amount": D(-1)}, "commitment_amount"),
        ({"commitment_quantity": D(-1)}, "commitment_quantity"),
        ({"overage_factor": D(-1)}, "overage_factor"),
        ({"commitment_amount": D(1), "commitment_quantity": D(1)}, "commitment_quantity"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms, field):
    with pytest.raises(InvalidPrice) as refusal:
        WindowTerms(TWO, **terms)
    assert refusal.value.field == field


@pytest.mark.parametrize(("hours", "field"), [((24, 1), "from_hour"), ((-1, 1), "from_hour"), ((0, 25), "to_hour")])
def test_a_day_has_24_hours(hours, field):
    with pytest.raises(InvalidPrice) as refusal:
        HourTerms(*hours, PROMISED)
    assert refusal.value.field == field
