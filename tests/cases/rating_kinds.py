"""Cases about prices: what a quantity costs, at once or in parts."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.money import round_minor
from billing.rating import (
    Conversion,
    HourTerms,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    RatedLine,
    Rounding,
    StepKind,
    TierTerms,
    Usage,
    WindowTerms,
    charge_windows,
    rate,
    rate_buckets,
    rate_increment,
    rate_running,
    stack_blocks,
    tell_difference,
)
from tests.cases.kinds import runs

METER = "measured"
ROUNDINGS = {
    "up": Rounding.UP,
    "ceil": Rounding.UP,
    "ceiling": Rounding.UP,
    "half": Rounding.HALF,
    "half_up": Rounding.HALF,
    "nearest": Rounding.HALF,
    "round": Rounding.HALF,
    "none": Rounding.HALF,  # to the last decimal that a quantity has
    "down": Rounding.DOWN,
    "floor": Rounding.DOWN,
}
COUNTED = {StepKind.PACKAGES, StepKind.TIER, StepKind.VOLUME}  # by the package, where the step has the size of one


def read_decimal(given: dict[str, Any], name: str, default: str | None = None) -> Decimal | None:
    value = given.get(name)
    value = default if value is None else value
    return None if value is None else Decimal(str(value))


def read_amount(given: dict[str, Any], name: str, default: str = "0") -> Decimal:
    value = read_decimal(given, name, default)
    assert value is not None
    return value


def read_tiers(rows: Iterable[dict[str, Any]]) -> tuple[TierTerms, ...]:
    tiers = [
        TierTerms(
            up_to=read_decimal(row, "up_to"),
            unit_amount=read_amount(row, "unit_price"),
            flat_amount=read_amount(row, "flat_fee"),
            rate_percent=read_decimal(row, "rate_percent"),
        )
        for row in rows
    ]
    return leave_open(tiers)


def leave_open(tiers: list[TierTerms]) -> tuple[TierTerms, ...]:
    """A published table may stop at a number that nobody reaches; here a price says what every quantity costs."""
    last = tiers[-1]
    opened = TierTerms(None, last.unit_amount, last.flat_amount, last.rate_percent, last.package_size)
    return (*tiers[:-1], opened)


def find_model(given: dict[str, Any]) -> PriceModel:
    if "mode" in given:
        return {"unit": PriceModel.PER_UNIT}.get(given["mode"]) or PriceModel(given["mode"])
    if "tiers" in given:
        return PriceModel.GRADUATED
    return PriceModel.PACKAGE if "package_size" in given else PriceModel.PER_UNIT


def read_price(given: dict[str, Any], **terms: Any) -> PriceTerms:
    """Whatever of a price the case names."""
    model = terms.pop("model", None) or find_model(given)
    if model is PriceModel.PER_UNIT:
        terms.setdefault("unit_amount", read_amount(given, "unit_price"))
    if model is PriceModel.PACKAGE:
        terms.setdefault("unit_amount", read_amount(given, "package_price"))
        terms.setdefault("package_size", read_decimal(given, "package_size"))
        terms.setdefault("package_rounding", ROUNDINGS[given.get("rounding") or "up"])
    if "tiers" in given:
        terms.setdefault("tiers", read_tiers(given["tiers"]))
    if terms.get("tiers"):
        terms["first_tier_flat_at_zero"] = bool(given.get("first_tier_flat_at_zero"))
    return PriceTerms(
        "Usage",
        model,
        METER,
        minimum=read_amount(given, "minimum" if "minimum" in given else "min_total"),
        cap=read_decimal(given, "max_total"),
        included_units=terms.pop("included_units", None) or read_amount(given, "free_units"),
        **terms,
    )


def answer(line: RatedLine) -> dict[str, Any]:
    difference = tell_difference(line)
    return {
        "amount": line.amount_exact,
        "net": line.amount_exact,
        "tier_amounts": line.tier_amounts,
        "packages": sum(
            (step.quantity for step in line.steps if step.basis and step.kind in COUNTED), start=Decimal(0)
        ),
        "billable_quantity": line.charged_units,
        "billed_units": line.charged_units,
        "capped_off": difference.capped_off,
        "reverse": difference.reversed,
        "charge": difference.charged,
    }


@runs("tiered")
@runs("package")
def run_rated(given: dict[str, Any]) -> dict[str, Any]:
    quantity = read_amount(given, "quantity")
    return answer(
        rate(read_price(given), Usage(quantity, tier_quantity=read_decimal(given, "tier_selection_quantity")))
    )


@runs("tiered_incremental")
@runs("package_incremental")
@runs("free_units_incremental")
def run_incremental(given: dict[str, Any]) -> dict[str, Any]:
    """Without a previous quantity no line came before."""
    billed = read_amount(given, "previous_quantity")
    total = billed + read_amount(given, "added_quantity")
    return answer(rate_increment(read_price(given), billed=billed or None, total=total))


@runs("rerate_delta")
def run_delta(given: dict[str, Any]) -> dict[str, Any]:
    billed, total = read_amount(given, "billed_quantity"), read_amount(given, "new_quantity")
    return answer(rate_increment(read_price(given), billed=billed, total=total))


@runs("percentage")
def run_percentage(given: dict[str, Any]) -> dict[str, Any]:
    terms = PercentageTerms(
        rate_percent=read_amount(given, "rate_percent"),
        fee=read_amount(given, "fee_per_transaction"),
        free_amount=read_amount(given, "free_amount"),
        free_transactions=int(given.get("free_transactions") or 0),
        minimum=read_decimal(given, "min_per_transaction"),
        maximum=read_decimal(given, "max_per_transaction"),
    )
    price = read_price(given, model=PriceModel.PERCENTAGE, percentage=terms)
    return answer(rate(price, Usage.of_transactions(Decimal(value) for value in given["transactions"])))


@runs("graduated_percentage")
def run_graduated_percentage(given: dict[str, Any]) -> dict[str, Any]:
    return answer(rate(read_price(given, model=PriceModel.GRADUATED_PERCENTAGE), read_amount(given, "value")))


@runs("graduated_percentage_running")
def run_graduated_percentage_running(given: dict[str, Any]) -> dict[str, Any]:
    price = read_price(given, model=PriceModel.GRADUATED_PERCENTAGE)
    lines = rate_running(price, (Decimal(value) for value in given["transactions"]))
    return {"amounts": [line.amount_exact for line in lines]}


@runs("unit_conversion")
def run_unit_conversion(given: dict[str, Any]) -> dict[str, Any]:
    conversion = Conversion(
        multiply_by=read_amount(given, "multiply_by", "1"),
        divide_by=read_amount(given, "divide_by", "1"),
        rounding=ROUNDINGS[given.get("rounding") or "none"],
        places=find_places(given),
    )
    free = read_amount(given, "free_units_after_rounding" if "free_units_after_rounding" in given else "free_units")
    price = read_price(given, conversion=conversion, included_units=free, package_rounding=Rounding.UP)
    line = rate(price, read_amount(given, "quantity"))
    if given.get("round_to") is None:
        return answer(line)
    unit = Fraction(given["round_to"])
    return answer(line) | {"amount": round_minor(Fraction(line.amount_exact) / unit) * unit}


def find_places(given: dict[str, Any]) -> int:
    """A quantity that is rounded becomes a whole number, unless the case says to how many places."""
    if given.get("places", given.get("precision")) is not None:
        return int(given.get("places", given.get("precision")))
    return 12 if given.get("rounding", "none") in (None, "none") else 0


@runs("bucketed")
def run_bucketed(given: dict[str, Any]) -> dict[str, Any]:
    return answer(rate_buckets(read_price(given), [Decimal(value) for value in given["bucket_values"]]))


@runs("block_tiers")
def run_block_tiers(given: dict[str, Any]) -> dict[str, Any]:
    blocks = [
        (Decimal(row["size"]), None if row.get("max_blocks") is None else int(row["max_blocks"]), Decimal(row["price"]))
        for row in given["blocks"]
    ]
    tiers = [
        replace(tier, flat_amount=read_amount(row, "flat_fee"))
        for tier, row in zip(stack_blocks(blocks), given["blocks"], strict=True)
    ]
    return answer(rate(read_price(given, tiers=leave_open(tiers)), read_amount(given, "quantity")))


@runs("window_commitment")
def run_window_commitment(given: dict[str, Any]) -> dict[str, Any]:
    buckets = given.get("buckets") or ([given["bucket"]] if given.get("bucket") else [])
    by_hour = [HourTerms(int(each["from_hour"]), int(each["to_hour"]), read_window(each)) for each in buckets]
    windows = [(int(each["hour"]), read_amount(each, "usage")) for each in given["windows"]]
    charge = charge_windows(read_window(given["default"]), windows, by_hour=by_hour)
    parts = {"utilized": charge.utilized, "overage": charge.overage, "true_up": charge.true_up}
    return {"total": charge.total, **parts}


def read_window(given: dict[str, Any]) -> WindowTerms:
    return WindowTerms(
        price=read_price(given),
        commitment_amount=read_decimal(given, "commitment_amount"),
        commitment_quantity=read_decimal(given, "commitment_quantity"),
        overage_factor=read_amount(given, "overage_factor", "1"),
        true_up=bool(given.get("true_up")),
    )
