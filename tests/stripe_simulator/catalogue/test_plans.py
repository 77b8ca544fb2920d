"""Plans are prices by their older name."""

from tests.stripe_simulator.makers import take_types


def test_a_plan_is_a_price_of_the_same_id(simulator):
    client = simulator.client()
    plan = client.v1.plans.create({"currency": "eur", "interval": "month", "amount": 2000, "product": {"name": "Pro"}})
    price = client.v1.prices.retrieve(plan.id)
    assert (price.unit_amount, price.recurring.interval) == (2000, "month")
    assert [each.id for each in client.v1.plans.list({"product": plan.product}).data] == [plan.id]


def test_a_plan_is_renamed_and_deleted(simulator):
    client = simulator.client()
    plan = client.v1.plans.create({"currency": "eur", "interval": "month", "amount": 2000, "product": {"name": "Pro"}})
    assert client.v1.plans.update(plan.id, {"nickname": "Old"}).nickname == "Old"
    assert client.v1.plans.delete(plan.id).deleted
    assert take_types(simulator, "plan") == ["plan.created", "plan.updated", "plan.deleted"]
