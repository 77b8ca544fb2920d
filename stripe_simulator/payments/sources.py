"""Legacy card sources, as far as a customer can be made with `source=tok_visa`."""

from typing import Any

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse_missing
from stripe_simulator.payments.methods import decline, find_default_expiry, make_fingerprint
from stripe_simulator.payments.test_cards import find_card
from stripe_simulator.simulator import Simulator

Object = dict[str, Any]


def add_source(
    sim: Simulator, customer: Object, token: str, *, at: int, is_default: bool = False, is_told: bool = True
) -> Object:
    """A card of the customer's; their first one is what is charged by default."""
    card = find_card(token)
    if card is None:
        raise refuse_missing("token", token, param="source", status=400)
    if card.declines and not card.is_attachable:
        raise decline(card.declines)
    month, year = find_default_expiry(at)
    source = template(
        "card",
        id=sim.new_id("card"),
        brand={"visa": "Visa", "mastercard": "MasterCard", "amex": "American Express"}.get(card.brand, "Discover"),
        country=card.country,
        customer=customer["id"],
        cvc_check="pass",
        exp_month=month,
        exp_year=year,
        fingerprint=make_fingerprint(card.number),
        funding=card.funding,
        last4=card.last4,
        metadata={},
        _number=card.number,
    )
    sim.store.insert(source)
    if is_default or customer["default_source"] is None:
        customer["default_source"] = source["id"]
    if is_told:
        sim.emit("customer.source.created", source)
    return source
