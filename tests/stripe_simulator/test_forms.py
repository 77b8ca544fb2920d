"""Bracketed forms to typed values."""

from urllib.parse import parse_qsl

import pytest

from stripe_simulator.contract import get_contract
from stripe_simulator.forms import format_param, unflatten

CONTRACT = get_contract()


def read(method, path, text):
    return CONTRACT.read_params(CONTRACT.operations[method, path], parse_qsl(text, keep_blank_values=True))


def test_lists_and_objects_nest():
    params = read(
        "POST",
        "/v1/subscriptions",
        "customer=cus_1&items[0][price]=price_1&items[1][price]=price_2&items[1][quantity]=3",
    )
    assert params == {"customer": "cus_1", "items": [{"price": "price_1"}, {"price": "price_2", "quantity": 3}]}


def test_positions_count_as_numbers():
    text = "&".join(f"expand[{place}]=f{place}" for place in range(11))
    assert read("GET", "/v1/customers", text)["expand"] == [f"f{place}" for place in range(11)]


def test_empty_brackets_append():
    assert read("GET", "/v1/customers", "expand[]=a&expand[]=b") == {"expand": ["a", "b"]}


def test_a_choice_takes_the_type_that_fits():
    path = "/v1/prices"
    tiers = read("POST", path, "tiers[0][up_to]=10&tiers[1][up_to]=inf&active=false")
    assert tiers == {"tiers": [{"up_to": 10}, {"up_to": "inf"}], "active": False}


def test_an_amount_stays_a_string_where_the_contract_says_so():
    assert read("POST", "/v1/prices", "unit_amount_decimal=0.5") == {"unit_amount_decimal": "0.5"}


@pytest.mark.parametrize("text", ["a[b]=1&a=2", "a=2&a[b]=1", "[]=1", "a[[]]=1", "]=1"])
def test_a_strange_form_does_no_harm(text):
    assert isinstance(unflatten(parse_qsl(text)), dict)


def test_a_parameter_is_written_as_stripe_does():
    assert format_param(["items", 0, "price"]) == "items[0][price]"
