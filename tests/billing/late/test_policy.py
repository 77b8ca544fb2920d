import pytest

from billing.late.policy import LateAction, LatePolicy, settle_difference
from billing.money import CurrencyMismatch, Money


def settle(billed, rerated, **policy):
    found = settle_difference(Money(billed, "EUR"), Money(rerated, "EUR"), LatePolicy(**policy))
    return found.action, found.difference.minor, found.amount.minor


@pytest.mark.parametrize(
    ("billed", "rerated", "policy", "settled"),
    [
        (500, 800, {}, (LateAction.BILL, 300, 300)),
        (800, 500, {}, (LateAction.CREDIT, -300, -300)),
        (500, 500, {"waive_under_minor": 100}, (LateAction.NOTHING, 0, 0)),
        (500, 599, {"waive_under_minor": 100}, (LateAction.WAIVE, 99, 0)),
        (500, 600, {"waive_under_minor": 100}, (LateAction.BILL, 100, 100)),
        (500, 800, {"bills": False}, (LateAction.WAIVE, 300, 0)),
        (800, 500, {"credits": False}, (LateAction.WAIVE, -300, 0)),
    ],
)
def test_a_difference_is_billed_credited_or_waived(billed, rerated, policy, settled):
    assert settle(billed, rerated, **policy) == settled


def test_a_small_credit_is_not_waived():
    assert settle(500, 499, waive_under_minor=100) == (LateAction.CREDIT, -1, -1)


def test_two_currencies_are_not_compared():
    with pytest.raises(CurrencyMismatch):
        settle_difference(Money(1, "EUR"), Money(1, "USD"), LatePolicy())
