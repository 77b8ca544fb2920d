"""POST /v1/subscriptions: a subscription, its items, its first period and its first invoice."""

from stripe_simulator.catalogue.discounts import make_discounts
from stripe_simulator.catalogue.tax_rates import find_rates
from stripe_simulator.contract import template
from stripe_simulator.cycles import add_interval, find_configured_anchor, find_cycle
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.invoices.hooks import call
from stripe_simulator.metadata import merge_metadata
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.billing import (
    find_share,
    open_invoice,
    put_licensed_line,
    put_trial_line,
    put_usage_placeholder,
    start_invoice,
)
from stripe_simulator.subscriptions.items import (
    MOST_ITEMS,
    find_item_cycle,
    find_price,
    is_metered,
    make_item,
    show_items,
)
from stripe_simulator.subscriptions.rolling import plan_roll
from stripe_simulator.subscriptions.statuses import change_status, plan_expiry
from stripe_simulator.subscriptions.timing import read_cancel_at
from stripe_simulator.unsupported import refuse_unsupported

DAY = 86_400
UNSUPPORTED = (
    "application_fee_percent", "billing_schedules", "invoice_settings", "on_behalf_of",
    "pending_invoice_item_interval", "transfer_data",
)  # fmt: skip


@route("POST", "/v1/subscriptions")
def create_subscription(request: Request) -> Object:
    sim, params, at = request.sim, request.params, request.at
    refuse_unsupported(params, *UNSUPPORTED)
    customer = sim.store.get("customer", read_customer(params), param="customer", status=400)
    return begin_subscription(sim, customer, params, at)


def begin_subscription(sim: Simulator, customer: Object, params: Object, at: int, *, at_once: bool = True) -> Object:
    """Make a subscription, invoice its first period, and have it turn by itself from then on.

    `at_once`: the first invoice is final and charged within the request; else it is a draft with its grace.
    """
    subscription = make_subscription(sim, customer, params, at)
    first = open_first_invoice(sim, subscription, params, at)
    behavior = params.get("payment_behavior", "allow_incomplete")
    is_charged = at_once and subscription["collection_method"] == "charge_automatically"
    needs_payment = is_charged and find_total(sim, first) > 0
    if needs_payment:
        subscription["status"] = "incomplete"
    sim.emit("customer.subscription.created", subscription)
    invoice = start_invoice(sim, subscription, first, at=at, at_once=at_once)
    if needs_payment and invoice is not None:
        take_first_payment(sim, subscription, invoice, behavior, at)
    plan_roll(sim, subscription)
    return subscription


def read_customer(params: Object) -> str:
    refuse_unsupported(params, "customer_account")
    if not params.get("customer"):
        raise refuse("Missing required param: customer.", param="customer", code="parameter_missing")
    return str(params["customer"])


def make_subscription(sim: Simulator, customer: Object, params: Object, at: int) -> Object:
    given = read_given_items(params)
    prices = [find_price(sim, each, at, f"items[{number}]") for number, each in enumerate(given)]
    check_intervals(params, prices)
    subscription = build_subscription(sim, customer, params, prices[0]["currency"], at)
    begin = subscription["start_date"] = read_start(params, at)
    trial_end = read_trial_end(params, prices, at)
    anchor = read_anchor(params, prices, start=at, trial_end=trial_end)
    config = params.get("billing_cycle_anchor_config")
    subscription |= {
        "billing_cycle_anchor": anchor,
        "billing_cycle_anchor_config": show_config(config) if config else None,
        "status": "trialing" if trial_end else "active",
        "trial_start": begin if trial_end else None,
        "trial_end": trial_end,
    }
    sim.store.insert(subscription)
    for number, (each, price) in enumerate(zip(given, prices, strict=True)):
        start, end = find_cycle(find_item_cycle(subscription, price), at)
        check_start(begin, start, at, params)
        make_item(sim, subscription, each, price, at=at, period=(begin, trial_end or end), place=f"items[{number}]")
    show_items(sim, subscription)
    subscription["cancel_at_period_end"] = params.get("cancel_at_period_end", False)
    subscription["cancel_at"] = read_cancel_at(sim, subscription, params, at)
    customer["currency"] = customer["currency"] or subscription["currency"]
    return subscription


def read_start(params: Object, at: int) -> int:
    """When it began, maybe before now. Assumed: its first period begins there, and counts what was used since."""
    begin = int(params.get("backdate_start_date") or at)
    if begin > at:
        raise refuse("`backdate_start_date` must be in the past.", param="backdate_start_date")
    return begin


def check_start(begin: int, start: int, at: int, params: Object) -> None:
    """Only within the cycle under way, and for nothing: what was to be charged for the past is not worked out here."""
    if begin < at and (begin < start or params.get("proration_behavior") != "none"):
        refuse_unsupported(params, "backdate_start_date")


def read_given_items(params: Object) -> list[Object]:
    given: list[Object] = params.get("items") or []
    if not given:
        raise refuse("Missing required param: items.", param="items", code="parameter_missing")
    if len(given) > MOST_ITEMS:
        raise refuse(f"A subscription has at most {MOST_ITEMS} items.", param="items")
    return given


def check_intervals(params: Object, prices: list[Object]) -> None:
    """One currency; one interval too, unless the billing mode is flexible."""
    currencies = {price["currency"] for price in prices} | ({params["currency"]} if params.get("currency") else set())
    if len(currencies) > 1:
        raise refuse("All prices of a subscription must have the same currency.", param="items")
    mode = (params.get("billing_mode") or {}).get("type", "flexible")
    intervals = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}
    if mode == "classic" and len(intervals) > 1:
        raise refuse("All prices on a subscription must have the same recurring interval.", param="items")


def build_subscription(sim: Simulator, customer: Object, params: Object, currency: str, at: int) -> Object:
    method = params.get("collection_method", "charge_automatically")
    check_collection(method, params)
    active = [each for each in sim.store.scan("subscription", customer=customer["id"]) if each["ended_at"] is None]
    if any(each["currency"] != currency for each in active):
        raise refuse("You cannot combine currencies on a single customer.", param="currency")
    tax = (params.get("automatic_tax") or {}).get("enabled", False)
    subscription = template(
        "subscription",
        id=sim.new_id("sub"),
        automatic_tax={"disabled_reason": None, "enabled": tax, "liability": {"type": "self"} if tax else None},
        billing_mode=show_mode(params.get("billing_mode")),
        billing_schedules=[],
        billing_thresholds=read_thresholds(params.get("billing_thresholds")),
        cancel_at_period_end=False,
        cancellation_details={"comment": None, "feedback": None, "feedback_option": None, "reason": None},
        collection_method=method,
        created=at,
        currency=currency,
        customer=customer["id"],
        days_until_due=params.get("days_until_due"),
        default_payment_method=params.get("default_payment_method"),
        default_source=params.get("default_source"),
        default_tax_rates=find_rates(sim, params.get("default_tax_rates"), "default_tax_rates"),
        description=params.get("description") or None,
        invoice_settings={
            "account_tax_ids": None, "custom_fields": None, "description": None, "footer": None,
            "issuer": {"type": "self"},
        },
        managed_payments={"enabled": False},
        metadata=merge_metadata({}, params.get("metadata")),
        payment_settings=show_payment_settings(params.get("payment_settings")),
        start_date=at,
        test_clock=customer["test_clock"],
        trial_settings=show_trial_settings(params.get("trial_settings")),
    )  # fmt: skip
    subscription["discounts"] = make_discounts(
        sim, params.get("discounts"), at=at, customer=customer["id"], subscription=subscription["id"]
    )
    return subscription


def check_collection(method: str, params: Object) -> None:
    days = params.get("days_until_due")
    if method == "send_invoice" and days is None:
        raise refuse("`collection_method=send_invoice` needs `days_until_due`.", param="days_until_due")
    if method == "charge_automatically" and days is not None:
        raise refuse("`days_until_due` is for `collection_method=send_invoice`.", param="days_until_due")


def show_mode(mode: Object | None) -> Object:
    kind = (mode or {}).get("type", "flexible")
    flexible = {"proration_discounts": "included"} | ((mode or {}).get("flexible") or {})
    return {"flexible": flexible if kind == "flexible" else None, "type": kind}


def read_thresholds(given: Object | str | None) -> Object | None:
    if not given or isinstance(given, str):
        return None
    refuse_unsupported(given, "reset_billing_cycle_anchor")
    return {
        "amount_gte": given.get("amount_gte"),
        "reset_billing_cycle_anchor": given.get("reset_billing_cycle_anchor", False),
    }


def show_payment_settings(given: Object | None) -> Object:
    given = given or {}
    return {
        "payment_method_options": None,
        "payment_method_types": given.get("payment_method_types") or None,
        "save_default_payment_method": given.get("save_default_payment_method") or "off",
    }


def show_trial_settings(given: Object | None) -> Object:
    behavior = ((given or {}).get("end_behavior") or {}).get("missing_payment_method", "create_invoice")
    return {"end_behavior": {"billing_cycle_anchor": None, "missing_payment_method": behavior}}


def show_config(config: Object) -> Object:
    return {name: config.get(name) for name in ("day_of_month", "hour", "minute", "month", "second")}


def read_trial_end(params: Object, prices: list[Object], at: int) -> int | None:
    """When the trial ends; None without one."""
    if params.get("trial_from_plan") and "trial_end" in params:
        raise refuse("You may only specify one of these parameters: trial_end, trial_from_plan.", param="trial_end")
    if "trial_end" in params and params["trial_end"] != "now":
        if params["trial_end"] <= at:
            raise refuse("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
        return int(params["trial_end"])
    days = params.get("trial_period_days")
    if days is None and params.get("trial_from_plan"):
        days = prices[0]["recurring"]["trial_period_days"]
    return at + days * DAY if days else None


def read_anchor(params: Object, prices: list[Object], *, start: int, trial_end: int | None) -> int:
    """The anchor asked for, at most one natural period ahead; without one the trial's end, or the start."""
    begin = trial_end or start
    if "billing_cycle_anchor" in params and "billing_cycle_anchor_config" in params:
        raise refuse(
            "You may only specify one of these parameters: billing_cycle_anchor, billing_cycle_anchor_config.",
            param="billing_cycle_anchor",
        )
    if "billing_cycle_anchor_config" in params:
        check_config(params["billing_cycle_anchor_config"], prices)
        return find_configured_anchor(begin, params["billing_cycle_anchor_config"])
    if "billing_cycle_anchor" not in params:
        return begin
    anchor = int(params["billing_cycle_anchor"])
    if anchor < start:
        raise refuse("Invalid timestamp: must be in the future.", param="billing_cycle_anchor")
    latest = min(add_interval(begin, *read_interval(price)) for price in prices)
    if anchor > latest:
        raise refuse(
            f"billing_cycle_anchor cannot be later than next natural billing date ({latest}) for plan",
            param="billing_cycle_anchor",
        )
    return anchor


def read_interval(price: Object) -> tuple[str, int]:
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def check_config(config: Object, prices: list[Object]) -> None:
    if any(price["recurring"]["interval"] not in ("month", "year") for price in prices):
        raise refuse("Only monthly and yearly prices take this.", param="billing_cycle_anchor_config")
    if not 1 <= config["day_of_month"] <= 31:
        raise refuse("The day must be between 1 and 31.", param="billing_cycle_anchor_config[day_of_month]")


def open_first_invoice(sim: Simulator, subscription: Object, params: Object, at: int) -> Object:
    """The first invoice: the trial, or what is charged in advance; a short first period costs its share, or nothing."""
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_create")
    prorates = params.get("proration_behavior", "create_prorations") != "none"
    for item in sim.store.find("subscription_item", subscription=subscription["id"]):
        period = (item["current_period_start"], item["current_period_end"])
        if subscription["status"] == "trialing":
            put_trial_line(sim, invoice, item)
        elif is_metered(item):
            put_usage_placeholder(sim, subscription, invoice, item)
        else:
            share = find_share(subscription, item, period)
            put_licensed_line(
                sim, subscription, invoice, item, period, share=share if prorates or share == 1 else share * 0
            )
    add_invoice_items(sim, subscription, invoice, params, at)
    return invoice


def add_invoice_items(sim: Simulator, subscription: Object, invoice: Object, params: Object, at: int) -> None:
    """One-off charges that ride on this invoice."""
    from stripe_simulator.invoices.items import assign_item, make_item
    from stripe_simulator.invoices.line_store import PENDING

    for given in params.get("add_invoice_items") or []:
        charge = {**given, "subscription": subscription["id"]}
        if "price" in given:
            charge["pricing"] = {"price": charge.pop("price")}
        item = make_item(sim, subscription["customer"], charge, at=at, currency=subscription["currency"])
        assign_item(sim, item, invoice, group=PENDING)


def find_total(sim: Simulator, invoice: Object) -> int:
    from stripe_simulator.invoices.adding_up import refresh_invoice

    refresh_invoice(sim, invoice)
    return int(invoice["amount_due"])


def take_first_payment(sim: Simulator, subscription: Object, invoice: Object, behavior: str, at: int) -> None:
    """Charge the first invoice within the request, unless the caller confirms its payment later."""
    if invoice["status"] == "open" and behavior != "default_incomplete":
        require_payment_method(sim, subscription)
        call("collect_invoice", sim, invoice, at)
    if invoice["status"] == "paid":
        change_status(sim, subscription, "active")
        return
    if behavior == "error_if_incomplete":
        raise StripeError(402, "card_error", "card_declined", "The first payment of the subscription failed.")
    plan_expiry(sim, subscription, at)


def require_payment_method(sim: Simulator, subscription: Object) -> None:
    customer = sim.store.get("customer", subscription["customer"])
    known = (
        subscription["default_payment_method"],
        subscription["default_source"],
        customer["invoice_settings"]["default_payment_method"],
        customer["default_source"],
    )
    if not any(known):
        raise refuse(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
