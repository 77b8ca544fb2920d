"""Moves of billing at random, from a seed: what anybody may ask of the simulator, in any order, over months."""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from stripe_simulator.api import Call, answer_call
from stripe_simulator.simulator import Simulator

START = 1_793_577_600  # 2026-11-02
DAY = 86_400
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
TAX = {"display_name": "V", "percentage": 3, "inclusive": False}
TIERS = [{"up_to": 10, "unit_amount": 3, "flat_amount": 100}, {"up_to": "inf", "unit_amount_decimal": "0.7"}]
Object = dict[str, Any]


def flatten(value: Object, prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, each in value.items():
        name = f"{prefix}[{key}]" if prefix else str(key)
        if isinstance(each, (dict, list)):
            pairs += flatten(each if isinstance(each, dict) else dict(enumerate(each)), name)
        else:
            pairs.append((name, str(each).lower() if isinstance(each, bool) else str(each)))
    return pairs


class World:
    """A simulator within the process, a small catalogue, and what was made so far."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 a seed, no secret
        self.sim = Simulator(frozen=START)
        self.refused = 0
        self.broken: list[Object] = []
        self.customers: list[str] = []
        self.subscriptions: list[str] = []
        self.control("endpoint", url="https://palier.test/hook")
        self.prices = [self.make_metered(index, scheme) for index in range(3) for scheme in ("per_unit", "tiered")]
        self.prices += [
            self.make_price(unit_amount=amount, recurring={"interval": "month"}) for amount in (0, 49, 1000)
        ]
        self.once = self.make_price(unit_amount=333)["id"]
        self.rate = self.must("/v1/tax_rates", display_name="VAT", percentage=20, inclusive=False)["id"]
        self.coupon = self.must("/v1/coupons", percent_off=15, duration="once")["id"]

    def call(self, method: str, path: str, **params: Any) -> Object | None:
        """The answer, or nothing where the simulator refused. What breaks is kept."""
        form = urlencode(flatten(params))
        query, body = ("", form.encode()) if method == "POST" else (form, b"")
        answer = answer_call(self.sim, Call(method, path, query, {"authorization": "Bearer sk_test_1"}, body))
        if answer.status == 200:
            return dict(json.loads(answer.body))
        self.refused += 1
        if answer.status == 500:
            self.broken.append({"path": path, "params": params, "answer": json.loads(answer.body)})
        return None

    def must(self, path: str, **params: Any) -> Object:
        made = self.call("POST", path, **params)
        assert made is not None, path
        return made

    def control(self, name: str, **params: Any) -> None:
        answer_call(self.sim, Call("POST", f"/_sim/{name}", "", {}, json.dumps(params).encode()))

    def make_price(self, **params: Any) -> Object:
        return self.must("/v1/prices", currency="eur", product_data={"name": "Product"}, **params)

    def make_metered(self, index: int, scheme: str) -> Object:
        name = f"event{index}-{scheme}"
        formula = {"formula": ("sum", "count", "last")[index]}
        meter = self.must("/v1/billing/meters", display_name=name, event_name=name, default_aggregation=formula)
        terms: Object = {"unit_amount_decimal": "0.37"}
        if scheme == "tiered":
            terms = {"billing_scheme": scheme, "tiers_mode": self.dice.choice(("graduated", "volume")), "tiers": TIERS}
        recurring = {"interval": "month", "usage_type": "metered", "meter": meter["id"]}
        return self.make_price(recurring=recurring, **terms) | {"_event": name}

    def maybe(self, chance: float, **params: Any) -> Object:
        return params if self.dice.random() < chance else {}

    def pick_item(self) -> Object:
        price = self.dice.choice(self.prices)
        is_licensed = price["recurring"]["usage_type"] == "licensed"
        return {"price": price["id"]} | ({"quantity": self.dice.choice((0, 1, 3))} if is_licensed else {})

    def step(self) -> None:
        if not self.customers:
            add_customer(self)
        self.dice.choice(MOVES)(self)


def add_customer(world: World) -> None:
    customer = world.must("/v1/customers", name="Acme", **world.maybe(0.5, address={"country": "FR"}))["id"]
    world.customers.append(customer)
    if card := world.call("POST", f"/v1/payment_methods/{world.dice.choice(CARDS)}/attach", customer=customer):
        settings = {"default_payment_method": card["id"]}
        world.call("POST", f"/v1/customers/{customer}", **world.maybe(0.8, invoice_settings=settings))


def subscribe(world: World) -> None:
    now = world.sim.clock.read()
    given = {"customer": world.dice.choice(world.customers), "items": [world.pick_item() for _ in range(3)]}
    given |= world.maybe(0.3, trial_period_days=10) | world.maybe(0.3, billing_cycle_anchor=now + 5 * DAY)
    given |= world.maybe(0.3, collection_method="send_invoice", days_until_due=10)
    given |= world.maybe(0.4, proration_behavior="none") | world.maybe(0.2, discounts=[{"coupon": world.coupon}])
    given |= world.maybe(0.2, default_tax_rates=[world.rate]) | world.maybe(0.1, cancel_at_period_end=True)
    given |= world.maybe(0.2, payment_behavior=world.dice.choice(("default_incomplete", "error_if_incomplete")))
    if made := world.call("POST", "/v1/subscriptions", **given):
        world.subscriptions.append(made["id"])


def change_subscription(world: World) -> None:
    if not world.subscriptions:
        return
    path, now = f"/v1/subscriptions/{world.dice.choice(world.subscriptions)}", world.sim.clock.read()
    held = world.call("GET", path)
    assert held is not None
    item = world.dice.choice(held["items"]["data"])["id"]
    change = world.dice.choice(
        (
            {"cancel_at": now + 9 * DAY},
            {"cancel_at": ""},
            {"cancel_at_period_end": True},
            {"pause_collection": {"behavior": world.dice.choice(("void", "keep_as_draft", "mark_uncollectible"))}},
            {"pause_collection": ""},
            {"billing_cycle_anchor": {"type": "now"}},
            {"trial_end": "now"},
            {"items": [{"id": item, "deleted": True}]},
            {"items": [{"id": item} | world.pick_item()]},
            {"items": [world.pick_item()]},
        )
    )
    world.call(
        "POST", path, **change, **world.maybe(0.5, proration_behavior=world.dice.choice(("none", "always_invoice")))
    )


def end_subscription(world: World) -> None:
    if world.subscriptions:
        path = f"/v1/subscriptions/{world.dice.choice(world.subscriptions)}"
        world.call("DELETE", path, invoice_now=world.dice.random() < 0.5, prorate=world.dice.random() < 0.5)


def pause_or_resume(world: World) -> None:
    if world.subscriptions:
        word = world.dice.choice(("pause", "resume"))
        world.call("POST", f"/v1/subscriptions/{world.dice.choice(world.subscriptions)}/{word}")


def use(world: World) -> None:
    price = world.dice.choice(world.prices[:6])
    for value in (1, "2.5", 100, -3):
        payload = {"stripe_customer_id": world.dice.choice(world.customers), "value": value}
        at = world.sim.clock.read() - world.dice.choice((0, 3600, 5 * DAY))
        world.call("POST", "/v1/billing/meter_events", event_name=price["_event"], payload=payload, timestamp=at)


def let_time_pass(world: World) -> None:
    world.control("webhooks/take")
    world.control("clock", advance=world.dice.choice((3600, 3 * DAY, 15 * DAY, 32 * DAY)))


def draft_invoice(world: World) -> None:
    given = {"customer": world.dice.choice(world.customers), "currency": "eur"}
    given |= world.maybe(0.3, pending_invoice_items_behavior="include") | world.maybe(0.2, auto_advance=True)
    given |= world.maybe(0.2, automatic_tax={"enabled": True}) | world.maybe(0.2, default_tax_rates=[world.rate])
    world.call("POST", "/v1/invoices", **given)


def put_item(world: World) -> None:
    customer, amount = world.dice.choice(world.customers), world.dice.choice((-500, 5, 700))
    world.call("POST", "/v1/invoiceitems", customer=customer, currency="eur", amount=amount)


def move_invoice(world: World) -> None:
    listed = world.call("GET", "/v1/invoices", limit=30)
    if not listed or not listed["data"]:
        return
    invoice = world.dice.choice(listed["data"])
    line = world.dice.choice([*invoice["lines"]["data"], {"id": "il_none"}])["id"]
    tax = [{"amount": 3, "taxable_amount": 100, "tax_rate_data": TAX}]
    added = (
        {"amount": -100},
        {"amount": 999},
        {"pricing": {"price": world.once}, "quantity": 2},
        {"amount": 9, "tax_amounts": tax},
    )
    verb, params = world.dice.choice(
        (
            ("finalize", {}),
            ("finalize", {"auto_advance": True}),
            ("pay", {}),
            ("pay", {"paid_out_of_band": True}),
            ("void", {}),
            ("mark_uncollectible", {}),
            ("add_lines", {"lines": [world.dice.choice(added)]}),
            ("update_lines", {"lines": [{"id": line, "amount": 77}]}),
            ("remove_lines", {"lines": [{"id": line, "behavior": world.dice.choice(("delete", "unassign"))}]}),
        )
    )
    world.call("POST", f"/v1/invoices/{invoice['id']}/{verb}", **params)
    amount = world.dice.choice((1, 50, invoice["total"]))
    world.call(
        "POST", "/v1/credit_notes", invoice=invoice["id"], amount=amount, **world.maybe(0.5, credit_amount=amount)
    )


def preview(world: World) -> None:
    given = {"customer": world.dice.choice(world.customers), "subscription_details": {"items": [world.pick_item()]}}
    if world.subscriptions and world.dice.random() < 0.7:
        given = {"subscription": world.dice.choice(world.subscriptions)}
    world.call("POST", "/v1/invoices/create_preview", **given)


MOVES: tuple[Callable[[World], None], ...] = (
    add_customer, subscribe, subscribe, change_subscription, change_subscription, end_subscription, pause_or_resume,
    use, use, let_time_pass, let_time_pass, draft_invoice, put_item, move_invoice, move_invoice, move_invoice, preview,
)  # fmt: skip
