"""What is asked: of the failure scenarios those that need nobody to break anything, each by its number.

The others (lost answers, held or forged webhooks, workers that die) are tested against the simulator alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from stripe import Customer, Invoice, Price
from stripe.billing import Meter
from stripe.params import PriceCreateParams

from stripe_replay.stage import Stage, day, unix

SCENARIOS: dict[str, Callable[[Stage], None]] = {}
START = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)  # of test clocks: the day that most months do not have


def scenario(name: str) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    def register(function: Callable[[Stage], None]) -> Callable[[Stage], None]:
        SCENARIOS[name] = function
        return function

    return register


def make_customer(stage: Stage, *, clock: str = "", card: str = "") -> Customer:
    v1 = stage.client.v1
    customer = stage.do("customer", lambda: v1.customers.create({"test_clock": clock} if clock else {}))
    if card:
        method = stage.do(f"card {card}", lambda: v1.payment_methods.attach(card, {"customer": customer.id}))
        stage.do(
            "default card",
            lambda: v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}}),
        )
    return customer


def make_meter(stage: Stage, formula: str = "sum") -> Meter:
    name = f"{stage.scenario.split()[0]}_{formula}_{stage.run}"
    return stage.do(
        "meter",
        lambda: stage.client.v1.billing.meters.create(
            {"display_name": "Calls", "event_name": name, "default_aggregation": {"formula": formula}}
        ),
    )


def make_price(stage: Stage, params: PriceCreateParams) -> Price:
    return stage.do("price", lambda: stage.client.v1.prices.create(params))


def send_usage(
    stage: Stage, step: str, meter: Meter, customer: Customer, value: str, *, at: datetime | None = None, name: str = ""
) -> None:
    payload = {"stripe_customer_id": customer.id, "value": value}
    identifier = f"{name or step.replace(' ', '-')}-{stage.run}"
    events = stage.client.v1.billing.meter_events
    stage.attempt(
        step,
        lambda: events.create(
            {"event_name": meter.event_name, "payload": payload, "identifier": identifier}
            if at is None
            else {
                "event_name": meter.event_name,
                "payload": payload,
                "identifier": identifier,
                "timestamp": unix(at),
            }
        ),
    )


def make_draft(stage: Stage, customer: Customer, *amounts: int, currency: str = "eur") -> Invoice:
    invoices = stage.client.v1.invoices
    draft = stage.do(
        "draft",
        lambda: invoices.create({"customer": customer.id, "currency": currency, "auto_advance": False}),
    )
    if not amounts:
        return draft
    return stage.do(
        "lines",
        lambda: invoices.add_lines(
            draft.id,
            {
                "lines": [
                    {"amount": amount, "description": f"line {place}", "metadata": {"palier_line": str(place)}}
                    for place, amount in enumerate(amounts)
                ]
            },
        ),
    )


@scenario("01 a meter event twice")
def send_twice(stage: Stage) -> None:
    meter, customer = make_meter(stage), make_customer(stage)
    send_usage(stage, "first", meter, customer, "5", name="same")
    send_usage(stage, "second", meter, customer, "5", name="same")


@scenario("03 times of meter events")
def send_early_and_late(stage: Stage) -> None:
    clock = stage.start_clock(START)
    meter, customer = make_meter(stage), make_customer(stage, clock=clock.id)
    for step, delta in {
        "35 days old": timedelta(days=-35, minutes=1),
        "too old": timedelta(days=-35, minutes=-1),
        "4 minutes ahead": timedelta(minutes=4),
        "too far ahead": timedelta(minutes=6),
    }.items():
        send_usage(stage, step, meter, customer, "1", at=START + delta)


@scenario("05 events that nobody can count")
def send_uncountable(stage: Stage) -> None:
    v1 = stage.client.v1
    meter, customer = make_meter(stage), make_customer(stage)
    send_usage(stage, "no number", meter, customer, "many")
    nobodys = {"stripe_customer_id": "cus_nobody00000000", "value": "1"}
    stage.attempt(
        "unknown customer",
        lambda: v1.billing.meter_events.create(
            {"event_name": meter.event_name, "payload": nobodys, "identifier": f"nobody-{stage.run}"}
        ),
    )
    stage.attempt(
        "no customer",
        lambda: v1.billing.meter_events.create({"event_name": meter.event_name, "payload": {"value": "1"}}),
    )
    nobody = f"nobody_{stage.run}"
    payload = {"stripe_customer_id": customer.id, "value": "1"}
    stage.attempt("no meter", lambda: v1.billing.meter_events.create({"event_name": nobody, "payload": payload}))
    stage.do("deactivate", lambda: v1.billing.meters.deactivate(meter.id))
    send_usage(stage, "archived meter", meter, customer, "1")


@scenario("06 digits")
def send_digits(stage: Stage) -> None:
    meter, customer = make_meter(stage), make_customer(stage)
    for value in ("123456789012345", "1234567890123456", "123456789012345000", "1E-12", "0.000000000001", "-1", "1.50"):
        send_usage(stage, f"value {value}", meter, customer, value)


@scenario("08 a draft and its lines")
def fill_draft(stage: Stage) -> None:
    invoices = stage.client.v1.invoices
    draft = make_draft(stage, make_customer(stage), 1000, -250)
    stage.do("lines of it", lambda: invoices.line_items.list(draft.id))
    stage.do("finalise", lambda: invoices.finalize_invoice(draft.id, {"auto_advance": False}))


@scenario("10 a final invoice")
def change_final(stage: Stage) -> None:
    invoices = stage.client.v1.invoices
    draft = make_draft(stage, make_customer(stage), 1000)
    stage.do("finalise", lambda: invoices.finalize_invoice(draft.id, {"auto_advance": False}))
    line = {"amount": 500, "description": "late"}
    stage.post("late line", f"/v1/invoices/{draft.id}/add_lines", {"lines": [line]})
    stage.attempt("delete", lambda: invoices.delete(draft.id))
    stage.attempt("finalise again", lambda: invoices.finalize_invoice(draft.id))


@scenario("11 an item that waits")
def sweep_item(stage: Stage) -> None:
    v1, customer = stage.client.v1, make_customer(stage)
    stage.do("item", lambda: v1.invoice_items.create({"customer": customer.id, "currency": "eur", "amount": 700}))
    make_draft(stage, customer)
    stage.do(
        "draft that sweeps",
        lambda: v1.invoices.create(
            {"customer": customer.id, "currency": "eur", "pending_invoice_items_behavior": "include"}
        ),
    )


@scenario("12 a draft that is deleted")
def delete_draft(stage: Stage) -> None:
    v1, customer = stage.client.v1, make_customer(stage)
    draft = make_draft(stage, customer)
    item = stage.do(
        "item of it",
        lambda: v1.invoice_items.create(
            {"customer": customer.id, "currency": "eur", "amount": 700, "invoice": draft.id}
        ),
    )
    stage.do("delete", lambda: v1.invoices.delete(draft.id))
    stage.attempt("its item", lambda: v1.invoice_items.retrieve(item.id))


@scenario("18 a key again")
def use_key_again(stage: Stage) -> None:
    products, key = stage.client.v1.products, f"key-{stage.run}"
    stage.do("first", lambda: products.create({"name": "Gold"}, {"idempotency_key": key}))
    stage.do("the same", lambda: products.create({"name": "Gold"}, {"idempotency_key": key}))
    stage.attempt("other parameters", lambda: products.create({"name": "Silver"}, {"idempotency_key": key}))


@scenario("19 parameters that exclude each other")
def exclude_each_other(stage: Stage) -> None:
    customer = make_customer(stage)
    price = {"currency": "eur", "product_data": {"name": "Gold"}}
    tiers = {"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": [{"up_to": "inf", "unit_amount": 1}]}
    packs = {"transform_quantity": {"divide_by": 10, "round": "up"}}
    sweeps = {"subscription": "sub_1", "pending_invoice_items_behavior": "exclude"}
    stage.post("two amounts", "/v1/prices", price | {"unit_amount": 1, "unit_amount_decimal": "1.5"})
    stage.post("tiers and an amount", "/v1/prices", price | tiers | {"unit_amount": 1})
    stage.post("tiers and packages", "/v1/prices", price | tiers | packs)
    stage.post("two products", "/v1/prices", price | {"unit_amount": 1, "product": "prod_1"})
    stage.post("two discounts", "/v1/coupons", {"percent_off": 10, "amount_off": 5, "currency": "eur"})
    stage.post("subscription and items", "/v1/invoices", {"customer": customer.id} | sweeps)
    stage.post("an unknown one", "/v1/products", {"name": "Gold", "colour": "yellow"})


@scenario("20 cards that are declined")
def decline(stage: Stage) -> None:
    invoices = stage.client.v1.invoices
    for card in ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"):
        draft = make_draft(stage, make_customer(stage, card=card), 1000)
        stage.do("finalise", lambda: invoices.finalize_invoice(draft.id, {"auto_advance": False}))  # noqa: B023
        stage.attempt(f"pay by {card}", lambda: invoices.pay(draft.id))  # noqa: B023
        stage.do("what became of it", lambda: invoices.retrieve(draft.id))  # noqa: B023
    small = make_draft(stage, make_customer(stage, card="pm_card_visa"), 20)
    stage.attempt("less than the minimum", lambda: invoices.pay(small.id))


@scenario("21 tax without a place")
def finalise_without_place(stage: Stage) -> None:
    invoices, customer = stage.client.v1.invoices, make_customer(stage)
    draft = stage.do(
        "draft",
        lambda: invoices.create({"customer": customer.id, "currency": "eur", "automatic_tax": {"enabled": True}}),
    )
    line = {"amount": 1000, "description": "line"}
    stage.post("line", f"/v1/invoices/{draft.id}/add_lines", {"lines": [line]})
    stage.attempt("finalise", lambda: invoices.finalize_invoice(draft.id))
    stage.do("what became of it", lambda: invoices.retrieve(draft.id))
    stage.do("without tax", lambda: invoices.update(draft.id, {"automatic_tax": {"enabled": False}}))
    stage.do("finalise then", lambda: invoices.finalize_invoice(draft.id, {"auto_advance": False}))


@scenario("22 usage when a subscription ends")
def end_with_usage(stage: Stage) -> None:
    v1 = stage.client.v1
    for invoice_now in (False, True):
        clock = stage.start_clock(START)
        customer, meter = make_customer(stage, clock=clock.id, card="pm_card_visa"), make_meter(stage, "sum")
        price = make_price(
            stage,
            {
                "currency": "eur",
                "product_data": {"name": "Calls"},
                "unit_amount": 10,
                "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
            },
        )
        subscription = stage.do(
            "subscription",
            lambda: v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]}),  # noqa: B023
        )
        send_usage(stage, f"usage {invoice_now}", meter, customer, "7", at=START + timedelta(minutes=1))
        stage.move_clock(clock, START + timedelta(days=3))
        stage.do(
            f"cancel {invoice_now}",
            lambda: v1.subscriptions.cancel(subscription.id, {"invoice_now": invoice_now, "prorate": False}),  # noqa: B023
        )
        found = v1.invoices.list({"customer": customer.id})
        stage.note(f"invoices {invoice_now}", [[each.billing_reason, each.total] for each in found.data])
        v1.billing.meters.deactivate(meter.id)


@scenario("24 what becomes of invoices")
def move_invoices(stage: Stage) -> None:
    v1, customer = stage.client.v1, make_customer(stage, card="pm_card_visa")
    void, lost, paid = (make_draft(stage, customer, 1000) for _ in range(3))
    stage.attempt("void a draft", lambda: v1.invoices.void_invoice(void.id))
    for draft in (void, lost, paid):
        stage.do("finalise", lambda: v1.invoices.finalize_invoice(draft.id, {"auto_advance": False}))  # noqa: B023
    stage.do("void", lambda: v1.invoices.void_invoice(void.id))
    stage.do("uncollectible", lambda: v1.invoices.mark_uncollectible(lost.id))
    stage.do("pay", lambda: v1.invoices.pay(paid.id))
    stage.attempt("void what was paid", lambda: v1.invoices.void_invoice(paid.id))
    stage.attempt("credit too much", lambda: v1.credit_notes.create({"invoice": paid.id, "amount": 5000}))
    stage.do("credit", lambda: v1.credit_notes.create({"invoice": paid.id, "amount": 400, "refund_amount": 400}))


@scenario("25 a customer that was deleted")
def delete_customer(stage: Stage) -> None:
    v1, customer = stage.client.v1, make_customer(stage)
    stage.do("delete", lambda: v1.customers.delete(customer.id))
    stage.do("retrieve", lambda: v1.customers.retrieve(customer.id))
    stage.attempt("draft", lambda: v1.invoices.create({"customer": customer.id, "currency": "eur"}))


@scenario("28 rounding")
def round_amounts(stage: Stage) -> None:
    v1 = stage.client.v1
    product = stage.do("product", lambda: v1.products.create({"name": "Calls"}))
    for currency in ("eur", "jpy", "kwd"):
        customer = make_customer(stage)
        draft = make_draft(stage, customer, currency=currency)
        for amount, quantity in (
            ("0.5", "1"),
            ("1.5", "1"),
            ("2.5", "1"),
            ("-0.5", "1"),
            ("0.1", "25"),
            ("0.333", "1.5"),
        ):
            item = {
                "customer": customer.id,
                "invoice": draft.id,
                "currency": currency,
                "price_data": {"currency": currency, "product": product.id, "unit_amount_decimal": amount},
                "quantity_decimal": quantity,
            }
            stage.post(f"{quantity} × {amount} {currency}", "/v1/invoiceitems", item)
        stage.do("total", lambda: v1.invoices.retrieve(draft.id))  # noqa: B023


@scenario("29 cycles from the last of January")
def turn_cycles(stage: Stage) -> None:
    v1 = stage.client.v1
    clock = stage.start_clock(START)
    customer, meter = make_customer(stage, clock=clock.id, card="pm_card_visa"), make_meter(stage)
    price = make_price(
        stage,
        {
            "currency": "eur",
            "product_data": {"name": "Calls"},
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 10, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 3}],
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
        },
    )
    stage.do("subscription", lambda: v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]}))
    for place, end in enumerate([datetime(2027, 2, 28, 9, 30, tzinfo=UTC), datetime(2027, 3, 31, 9, 30, tzinfo=UTC)]):
        send_usage(stage, f"usage {place}", meter, customer, "25", at=clock_now(stage, clock.id))
        stage.move_clock(clock, end + timedelta(minutes=20))
        send_usage(stage, f"in the grace {place}", meter, customer, "4", at=end - timedelta(minutes=1))
        stage.move_clock(clock, end + timedelta(hours=2))
        send_usage(stage, f"after the grace {place}", meter, customer, "100", at=end - timedelta(minutes=1))
    found = v1.invoices.list({"customer": customer.id, "limit": 10})
    stage.note(
        "invoices",
        [
            [each.billing_reason, each.status, each.total, day(each.period_start), day(each.period_end)]
            for each in found.data
        ],
    )


def clock_now(stage: Stage, clock_id: str) -> datetime:
    frozen = stage.client.v1.test_helpers.test_clocks.retrieve(clock_id).frozen_time
    return datetime.fromtimestamp(frozen, UTC)
