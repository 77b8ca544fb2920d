"""The simulator's own honesty: what the contract accepts, and that nobody invents fields, in either direction."""

import copy
import re

import pytest
import stripe

import stripe_simulator
from stripe_simulator.contract import get_contract, load_samples, template
from stripe_simulator.errors import StripeError

CONTRACT = get_contract()
# Samples of July 2026 against the contract of October: some lack fields added since, or hold stubs.
KINDS = sorted(
    kind for kind, sample in load_samples().items() if (sample.get("object"), "deleted" in sample) in CONTRACT.by_object
)


def find_problems(kind):
    return CONTRACT.check_object(load_samples()[kind])


ACCEPTED = [kind for kind in KINDS if not find_problems(kind)]


def test_contract_client_and_simulator_are_of_one_version():
    assert CONTRACT.version == stripe.api_version == stripe_simulator.API_VERSION


def test_most_of_stripes_samples_pass():
    assert {"customer", "price", "billing.meter", "tax_rate", "test_helpers.test_clock"} <= set(ACCEPTED)
    assert len(ACCEPTED) / len(KINDS) > 0.7


def test_a_sample_fails_only_for_what_changed_since_it_was_taken():
    reasons = {problem.kind for kind in KINDS for problem in find_problems(kind)}
    assert reasons <= {"required", "anyOf", "additionalProperties", "type", "enum", "object"}


def test_an_invented_field_of_an_answer_is_found_in_every_kind():
    def is_closed(sample):
        name = CONTRACT.by_object[sample["object"], "deleted" in sample]
        return CONTRACT.schemas[name]["additionalProperties"] is False

    samples = {kind: load_samples()[kind] for kind in ACCEPTED}
    found = {kind for kind, sample in samples.items() if CONTRACT.check_object(sample | {"invented": 1})}
    assert found == {kind for kind, sample in samples.items() if is_closed(sample)}
    assert len(found) > 50


def test_an_invented_field_deep_within_an_answer_is_found():
    price = copy.deepcopy(load_samples()["price"])
    invoice = template("invoice", id="in_1", customer="cus_1")
    invoice["lines"] = {"object": "list", "data": [price | {"invented": 1}], "has_more": False, "url": "/"}
    paths = {problem.path for problem in CONTRACT.check_object(invoice)}
    assert ("lines", "data", 0) in paths


def test_a_field_that_stripe_removed_is_found():
    problems = CONTRACT.check_object(template("invoice") | {"subscription": "sub_1"})
    assert any("'subscription' was unexpected" in problem.message for problem in problems)


@pytest.mark.parametrize("kind", ["customer", "invoice", "subscription", "billing.meter", "price", "payment_intent"])
def test_a_template_has_every_required_field(kind):
    assert set(template(kind)) == set(CONTRACT.schemas[kind]["required"])
    assert template(kind) is not template(kind)


def refuse(method, path, **params):
    with pytest.raises(StripeError) as refusal:
        CONTRACT.check_request(CONTRACT.operations[method, path], params)
    return refusal.value


def test_an_invented_parameter_is_refused_by_every_route():
    paths = [
        path
        for (method, path), operation in CONTRACT.operations.items()
        if method == "POST" and operation.schema.get("additionalProperties", False) is False
    ]
    messages = {path: refuse("POST", path, invented="1").message for path in paths}
    wanted = re.compile(r"Received unknown parameter: invented|Missing required param")
    assert {path: message for path, message in messages.items() if not wanted.match(message)} == {}
    assert len(paths) > 100


def test_an_invented_parameter_is_named_where_it_lies():
    error = refuse("POST", "/v1/subscriptions", customer="cus_1", items=[{"price": "price_1", "colour": "red"}])
    assert (error.code, error.param) == ("parameter_unknown", "items[0][colour]")


def test_a_value_outside_of_an_enum_is_refused():
    error = refuse("POST", "/v1/invoices", collection_method="by_mail")
    assert error.message == "Invalid collection_method: must be one of charge_automatically, or send_invoice"


def test_a_word_for_a_number_is_refused():
    error = refuse("POST", "/v1/invoices", days_until_due="soon")
    assert (error.code, error.message) == ("parameter_invalid_integer", "Invalid integer: soon")


def test_a_decimal_in_scientific_notation_is_refused():
    error = refuse("POST", "/v1/prices", currency="eur", product="prod_1", unit_amount_decimal="1E-12")
    assert error.param == "unit_amount_decimal"


def test_an_event_with_the_object_of_another_kind_is_found():
    event = template("event", id="evt_1", type="invoice.created", api_version="1", request=None)
    event["data"] = {"object": load_samples()["customer"]}
    assert [problem.kind for problem in CONTRACT.check_event(event)] == ["kind"]
