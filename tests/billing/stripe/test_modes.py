from dataclasses import replace

from billing.rating import ChargedBy
from billing.stripe.modes import REASONS, MeterFacts, Reason, explain_charging, explain_reason, find_reason
from tests.billing.makers import BANDWIDTH, BASE_FEE, CARDS

SUM = MeterFacts("sum")


def test_every_reason_has_words():
    assert set(REASONS) == set(Reason)
    assert str(explain_reason(Reason.CAP)) == "Stripe's prices have no cap"


def test_a_price_may_say_that_it_is_charged_by_lines():
    assert find_reason(BANDWIDTH, SUM, "EUR") is None
    assert find_reason(replace(BANDWIDTH, charged_by=ChargedBy.LINES), SUM, "EUR") is Reason.FORCED
    assert find_reason(BASE_FEE, None, "EUR") is Reason.FEE


def test_how_a_price_is_charged_is_said_with_the_reason():
    assert explain_charging(BANDWIDTH, SUM, "EUR") == "charged through Stripe by its meters"
    assert explain_charging(CARDS, SUM, "EUR") == "charged through Stripe by lines: Stripe has no price of this kind"
