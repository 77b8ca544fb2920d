import io
import json
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.quotes import quote
from billing.rating import InvalidPrice, InvalidQuantity

TIERS = [{"up_to": "10000", "unit_amount": "0.002"}, {"up_to": None, "unit_amount": "0.001"}]
REQUESTS = {"description": "Requests", "model": "graduated", "meter": "requests", "tiers": TIERS}
FEE = {"description": "Base fee", "model": "flat", "unit_amount": "49"}


def test_a_quote_says_each_step_in_figures_and_in_words():
    answer = quote({"currency": "EUR", "price": REQUESTS, "readings": [{"meter": "requests", "quantity": "12345"}]})
    assert answer == {
        "currency": "EUR",
        "lines": [
            {
                "description": "Requests",
                "meter": "requests",
                "quantity": "12345",
                "charged_units": "12345",
                "amount_exact": "22.345",
                "amount": "22.35",
                "steps": [
                    {
                        "kind": "tier",
                        "quantity": "10000",
                        "unit_amount": "0.002",
                        "amount": "20",
                        "tier": 1,
                        "text": "first 10,000 at €0.002 = €20.00",
                    },
                    {
                        "kind": "tier",
                        "quantity": "2345",
                        "unit_amount": "0.001",
                        "amount": "2.345",
                        "tier": 2,
                        "text": "next 2,345 at €0.001 = €2.345",
                    },
                ],
            }
        ],
        "total": "22.35",
    }


def list_amounts(**request):
    return [line["amount"] for line in quote({"currency": "EUR", **request})["lines"]]


def test_each_reading_of_a_prices_meter_is_a_line():
    assert list_amounts(price=REQUESTS, readings=[{"quantity": "1000"}, {"quantity": "2000"}]) == ["2.00", "4.00"]


def test_several_prices_take_the_readings_of_their_meters():
    bytes_price = {"description": "Bytes", "model": "per_unit", "meter": "bytes", "unit_amount": "0.01"}
    readings = [{"meter": "bytes", "quantity": "7"}, {"meter": "requests", "quantity": "1000"}]
    assert list_amounts(prices=[FEE, REQUESTS, bytes_price], readings=readings) == ["49.00", "2.00", "0.07"]


def test_a_price_that_no_reading_is_for_prices_nothing_used():
    assert list_amounts(prices=[FEE, REQUESTS | {"minimum": "5"}]) == ["49.00", "5.00"]


def test_a_total_is_the_sum_of_rounded_lines():
    price = {"description": "Third", "model": "per_unit", "meter": "m", "unit_amount": "0.333333"}
    request = {"currency": "EUR", "price": price, "readings": [{"quantity": "31"}] * 3}
    assert quote(request)["total"] == "30.99"


def test_the_currency_may_be_the_prices_own():
    assert quote({"prices": [FEE | {"currency": "JPY"}]})["total"] == "49"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"price": FEE}, "currency"),
        ({"currency": "EURO", "price": FEE}, "currency"),
        ({"currency": [], "price": FEE}, "currency"),
        ({"currency": "EUR"}, "price"),
        ({"currency": "EUR", "prices": FEE}, "prices"),
        ({"currency": "EUR", "price": FEE, "plan": "free"}, "plan"),
        ({"currency": "EUR", "price": FEE | {"unit_amount": "-1"}}, "price.unit_amount"),
        ({"prices": [FEE | {"currency": "EUR"}, FEE | {"currency": "USD"}]}, "prices[1].currency"),
        ({"currency": "EUR", "prices": [FEE, REQUESTS | {"tiers": TIERS[:1]}]}, "prices[1].tiers[0].up_to"),
        ({"currency": "EUR", "price": "free"}, "price"),
    ],
)
def test_a_price_that_cannot_be_quoted_is_refused_with_the_field(request_, field):
    with pytest.raises(InvalidPrice) as refusal:
        quote(request_)
    assert refusal.value.field == field


CARD = {"description": "Card", "model": "percentage", "meter": "card", "percentage": {"rate_percent": "1", "fee": "1"}}


@pytest.mark.parametrize(
    ("price", "reading", "field"),
    [
        (REQUESTS, {"meter": "requests"}, "readings[0].quantity"),
        (REQUESTS, {"meter": "bytes", "quantity": "1"}, "readings[0].meter"),
        (REQUESTS, "1", "readings[0]"),
        (REQUESTS, {"quantity": "1e25"}, "price.quantity"),
        (CARD, {"quantity": "100"}, "price.event_count"),
    ],
)
def test_a_reading_that_cannot_be_priced_is_refused_with_the_field(price, reading, field):
    with pytest.raises(InvalidQuantity) as refusal:
        quote({"currency": "EUR", "price": price, "readings": [reading]})
    assert refusal.value.field == field


def test_the_command_reads_a_file_and_keeps_every_digit(tmp_path, capsys):
    file = tmp_path / "quote.json"
    price = '{"description": "U", "model": "per_unit", "meter": "u", "unit_amount": 0.1}'
    file.write_text(f'{{"currency": "EUR", "price": {price}, "reading": {{"quantity": 3}}}}', encoding="utf-8")
    call_command("quote", str(file))
    assert json.loads(capsys.readouterr().out)["lines"][0]["amount_exact"] == "0.3"


def test_the_command_reads_standard_input(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"currency": "EUR", "price": FEE})))
    call_command("quote")
    assert json.loads(capsys.readouterr().out)["total"] == "49.00"


@pytest.mark.parametrize("text", ["{", '{"currency": NaN}', "", "1"])
def test_what_is_no_request_is_refused(text, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    with pytest.raises(CommandError):
        call_command("quote")


def test_a_refusal_names_the_field_and_has_exit_status_1():
    request = json.dumps({"currency": "EUR", "price": FEE | {"unit_amount": "0.0000000000001"}})
    command = [sys.executable, "manage.py", "quote"]
    ended = subprocess.run(
        command, input=request, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 1
    assert "price.unit_amount: Base fee: the amount has more than 12 digits after the point." in ended.stderr
    assert ended.stdout == ""


SEAT = {"description": "Seats", "model": "flat", "unit_amount": "10", "per_seat": True}


def test_a_fee_by_seat_is_quoted_for_the_seats_asked_about():
    (line,) = quote({"currency": "EUR", "price": SEAT, "seats": 3})["lines"]
    assert (line["amount"], line["quantity"], line["steps"][0]["text"]) == ("30.00", "3", "3 × €10.00 = €30.00")
    assert quote({"currency": "EUR", "price": SEAT})["total"] == "10.00"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"currency": "EUR", "price": SEAT, "seats": 0}, "seats"),
        ({"currency": "EUR", "price": SEAT, "seats": "3"}, "seats"),
        ({"currency": "EUR", "price": REQUESTS | {"per_seat": True}}, "price.per_seat"),
    ],
)
def test_senseless_seats_are_refused_with_their_field(request_, field):
    with pytest.raises((InvalidPrice, InvalidQuantity)) as refused:
        quote(request_)
    assert refused.value.field == field
