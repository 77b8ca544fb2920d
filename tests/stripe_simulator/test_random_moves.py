"""Whatever is asked of billing, in whatever order: nothing breaks, sums hold, no usage is charged twice."""

from collections import defaultdict
from itertools import pairwise

import pytest

from tests.stripe_simulator.random_moves import DAY, World


def live(seed, steps):
    world = World(seed)
    for _ in range(steps):
        world.step()
    world.control("webhooks/take")
    world.control("clock", advance=60 * DAY)
    return world


def check(world):
    assert (world.broken, world.sim.violations) == ([], [])
    tables = world.sim.store.tables
    invoices = list(tables["invoice"].values())
    for invoice in invoices:
        lines = [line for line in tables["line_item"].values() if line["invoice"] == invoice["id"]]
        taxes = sum(tax["amount"] for line in lines for tax in line["taxes"] if tax["tax_behavior"] == "exclusive")
        taken = sum(each["amount"] for line in lines for each in line["pretax_credit_amounts"])
        assert invoice["total"] == sum(line["amount"] for line in lines) - taken + taxes
        assert (invoice["number"] is None) == (invoice["status"] == "draft")
        assert invoice["status"] != "paid" or invoice["amount_remaining"] == 0
    for customer in tables["customer"].values():
        moves = [
            each
            for each in tables.get("customer_balance_transaction", {}).values()
            if each["customer"] == customer["id"]
        ]
        assert customer["balance"] == sum(each["amount"] for each in moves)
    for item, periods in find_metered_periods(tables).items():
        for (_, end), (start, _) in pairwise(periods):
            assert end <= start, f"{item} is charged twice between {start} and {end}"


def find_metered_periods(tables):
    periods = defaultdict(list)
    for line in tables["line_item"].values():
        if line["_metered_price"]:
            details = line["parent"]["subscription_item_details"]
            periods[details["subscription_item"]].append((line["period"]["start"], line["period"]["end"]))
    return {item: sorted(found) for item, found in periods.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_random_moves_break_nothing(seed):
    world = live(seed, 150)
    check(world)
    assert len(world.sim.store.tables["invoice"]) > 10


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_moves_break_nothing(seed):
    check(live(seed, 600))
