from datetime import timedelta

from billing.stripe.charging.told import read_told
from tests.billing.makers import FEB
from tests.billing.stripe.charging.bodies import write_invoice, write_line, write_payment


def test_lines_tell_whose_they_are():
    lines = [write_line("il_1", 100, item="si_1"), write_line("il_2", 200, key="7:1")]
    told = read_told(write_invoice(lines={"data": lines, "has_more": True}))
    assert [(line.amount, line.item, line.key, line.price) for line in told.lines] == [
        (100, "si_1", "", "price_1"),
        (200, "", "7:1", "price_1"),
    ]
    assert (told.has_more_lines, told.our_keys, told.subscription) == (True, {"7:1"}, "sub_1")
    assert (told.period_end, told.currency, told.invoice_id) == (FEB, "EUR", None)


def test_a_payment_that_failed_says_why_in_the_banks_words():
    error = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has no funds."}
    told = read_told(
        write_invoice(payments={"data": [write_payment(0, status="open", last_payment_error=error)]}, status="open")
    )
    payment = told.payments[0]
    assert (payment.key, payment.error_code, payment.error_message) == (
        "pi_1", "insufficient_funds", "Your card has no funds.",
    )  # fmt: skip
    assert told.money == 0


def test_only_what_was_paid_is_money():
    payments = [write_payment(300), write_payment(500, status="canceled", key="pi_2")]
    told = read_told(write_invoice(status="paid", payments={"data": payments}))
    assert told.money == 300
    assert told.payments[0].paid_at == FEB + timedelta(hours=2)


def test_what_another_version_leaves_out_is_empty():
    told = read_told({"id": "in_1"})
    assert (told.status, told.total, told.lines, told.payments, told.period_end) == ("", 0, (), (), None)
