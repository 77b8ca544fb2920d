from billing.stripe.modes import REASONS, Reason, explain_reason


def test_every_reason_has_words():
    assert set(REASONS) == set(Reason)
    assert str(explain_reason(Reason.CAP)) == "Stripe's prices have no cap"
