"""`expand`, by the objects that the contract says may stand there."""

import pytest

from stripe_simulator.errors import StripeError
from stripe_simulator.expanding import INCLUDABLE, expand, strip
from stripe_simulator.simulator import Simulator


@pytest.fixture
def sim():
    sim = Simulator(frozen=0)
    with sim.work():
        sim.store.insert({"id": "cus_1", "object": "customer", "name": "A", "_secret": 1})
        sim.store.insert({"id": "sub_1", "object": "subscription", "customer": "cus_1", "latest_invoice": "in_1"})
        sim.store.insert({"id": "in_1", "object": "invoice", "customer": "cus_1", "default_source": None})
    return sim


def read(sim, kind, id, *paths):
    return expand(sim, strip(sim.store.peek(kind, id)), list(paths))


def test_an_id_becomes_its_object_without_what_is_private(sim):
    assert read(sim, "invoice", "in_1", "customer")["customer"] == {"id": "cus_1", "object": "customer", "name": "A"}


def test_an_expansion_goes_through_another(sim):
    answer = read(sim, "subscription", "sub_1", "latest_invoice.customer")
    assert answer["latest_invoice"]["customer"]["name"] == "A"
    assert answer["customer"] == "cus_1"


def test_each_item_of_a_list_is_expanded(sim):
    page = {"object": "list", "data": [strip(sim.store.peek("invoice", "in_1"))]}
    assert expand(sim, page, ["data.customer"])["data"][0]["customer"]["id"] == "cus_1"


def test_null_in_the_way_is_no_error(sim):
    assert read(sim, "invoice", "in_1", "default_source.owner")["default_source"] is None


def test_what_cannot_be_expanded_is_refused(sim):
    with pytest.raises(StripeError, match=r"This property cannot be expanded \(colour\)"):
        read(sim, "invoice", "in_1", "colour")


def test_four_levels_are_the_most(sim):
    with pytest.raises(StripeError, match="more than 4 levels deep"):
        read(sim, "subscription", "sub_1", "a.b.c.d.e")


def test_the_state_is_not_touched_by_an_answer(sim):
    read(sim, "invoice", "in_1", "customer")
    assert sim.store.peek("invoice", "in_1")["customer"] == "cus_1"


def test_only_registered_fields_are_filled_in():
    assert all(callable(includer) for includer in INCLUDABLE.values())
