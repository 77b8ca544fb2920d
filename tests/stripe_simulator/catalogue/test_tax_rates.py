"""Tax rates: a percentage that never changes."""

import pytest
import stripe

VAT = {"display_name": "VAT", "percentage": 20, "inclusive": False, "country": "FR"}


def test_a_rate_is_archived_not_deleted(simulator):
    client = simulator.client()
    rate = client.v1.tax_rates.create(VAT)
    assert (rate.percentage, rate.active) == (20, True)
    client.v1.tax_rates.update(rate.id, {"active": False})
    assert [found.id for found in client.v1.tax_rates.list({"active": False}).data] == [rate.id]


def test_the_percentage_never_changes(simulator):
    client = simulator.client()
    rate = client.v1.tax_rates.create(VAT)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.tax_rates.update(rate.id, {"percentage": 10})
    assert caught.value.param == "percentage"


def test_a_percentage_lies_between_nothing_and_all(simulator):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        simulator.client().v1.tax_rates.create({**VAT, "percentage": 100.5})
    assert caught.value.param == "percentage"
