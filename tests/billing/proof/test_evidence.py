"""The file that an invoice is recomputed from, by the script that ships with it, in a process of its own."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing import coupons, invoicing, plans
from billing.proof.evidence import HistoryPruned, UnknownInvoice, write_evidence
from billing.rating import PriceModel, PriceTerms, Rounding, TierTerms, flat_fee, graduated, per_unit
from billing.rating.definitions import read_price, read_usage
from metering.meters import create_meter
from metering.models import Pruning
from tests.billing.credits.makers import give
from tests.billing.makers import (
    BY_HOST,
    CARDS,
    FEB,
    HOUR,
    JAN,
    MID_JAN,
    make_detailed_meters,
    make_plan,
    make_subscription,
    send,
    use,
)
from tests.billing.test_drafting import tax
from tests.billing.test_items import add

pytestmark = pytest.mark.django_db

SCRIPT = Path(__file__).parents[3] / "docs" / "recompute_invoice.py"
LATER = FEB + timedelta(days=2)
TIERS = (TierTerms(Decimal(10), Decimal("0.25")), TierTerms(None, Decimal("0.125"), flat_amount=Decimal(1)))
PRICES = (
    flat_fee("Base fee", Decimal(49)),
    graduated("Requests", meter_key="requests", tiers=TIERS, included_units=Decimal(5)),
    per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.0000000123")),
)


def make_invoice(prices=PRICES, **fields):
    """With a discount, two taxes, an item and credit; other accounts' events beside it, and one that is late."""
    subscription = make_subscription(plan=make_plan(prices=prices, limits=(), **fields))
    account_id = subscription.account_id
    use("acme", sizes=[5_000_000 + n for n in range(30)], time=MID_JAN)
    make_subscription("other", plan=plans.find_plan("growth"))
    use("other", sizes=[7] * 3, time=MID_JAN)
    tax(account_id, ("VAT", "19.6", False), ("City", "1", True))
    coupons.create_coupon(code="tenth", name="A tenth off", percent=Decimal(10))
    coupons.apply_coupon(code="tenth", account_id=account_id, at=MID_JAN)
    add(account_id, "30.00", subscription_id=subscription.id)
    give(1_000, account_id=account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    use("acme", sizes=[1], time=MID_JAN, at=LATER)
    return invoice


def read_records(invoice) -> list[dict[str, Any]]:
    return [json.loads(record) for record in write_evidence(invoice.number)]


def recompute(records: list[dict[str, Any]], folder: Path) -> tuple[int, str]:
    """What the script says of these records, with nothing of the project in its reach."""
    path = folder / "evidence.jsonl"
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(path)], capture_output=True, text=True, cwd=folder, check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_the_file_holds_the_invoice_its_lines_and_their_events():
    invoice = make_invoice()
    first, *lines, last = [record for record in read_records(invoice) if record["record"] != "event"]
    assert (first["number"], first["currency"], first["exponent"]) == (invoice.number, "EUR", 2)
    assert (first["total_minor"], first["due_minor"]) == (invoice.total_minor, invoice.due_minor)
    assert [line["event_count"] for line in lines] == [None, 30, 30, None]
    assert [line["kind"] for line in lines] == ["price", "price", "price", "one_off"]
    assert last == {"record": "end", "events": 30}


def test_an_event_is_there_with_what_is_sealed_and_what_it_counts():
    events = [record for record in read_records(make_invoice()) if record["record"] == "event"]
    assert len(events) == 30
    source, _, time, type_, subject, data = json.loads(events[0]["sealed"])
    assert (source, time, type_, subject) == ("test", "2026-01-15T12:00:00Z", "web.request", "acme")
    assert events[0]["counts"] == {"2": "1", "3": str(data["bytes"])}


def test_prices_and_usage_are_what_quote_reads():
    for record in read_records(make_invoice()):
        if record["record"] == "line" and record["kind"] == "price":
            assert read_price(record["price"]) == PRICES[record["position"] - 1]
            assert read_usage(record["usage"]).quantity == Decimal(record["quantity"])


def test_the_script_proves_the_invoice(tmp_path):
    invoice = make_invoice()
    assert recompute(read_records(invoice), tmp_path) == (
        0,
        f"PROVED {invoice.number}: {invoice.total_minor} of the smallest unit of EUR",
    )


MODELS = {
    "volume": PriceTerms("V", PriceModel.VOLUME, "requests", tiers=TIERS),
    "volume of the first tier": PriceTerms("V", PriceModel.VOLUME, "requests", tiers=TIERS, included_units=Decimal(25)),
    "package": PriceTerms("P", PriceModel.PACKAGE, "requests", Decimal(3), package_size=Decimal(7)),
    "half packages": PriceTerms(
        "P",
        PriceModel.PACKAGE,
        "requests",
        Decimal(3),
        package_size=Decimal(8),
        package_rounding=Rounding.HALF,
    ),
    "blocks": graduated(
        "B",
        meter_key="requests",
        tiers=(TierTerms(Decimal(12), Decimal(2), package_size=Decimal(5)), TierTerms(None, Decimal("0.01"))),
    ),
    "all included": per_unit("I", meter_key="requests", unit_amount=Decimal(1), included_units=Decimal(99)),
    "nothing costs the first fee": graduated(
        "Z",
        meter_key="requests",
        tiers=(TierTerms(None, Decimal(1), flat_amount=Decimal(4)),),
        included_units=Decimal(99),
    ),
    "minimum": PriceTerms("M", PriceModel.PER_UNIT, "requests", Decimal("0.01"), minimum=Decimal(20)),
    "cap": PriceTerms("C", PriceModel.PER_UNIT, "requests", Decimal(1), cap=Decimal("12.345")),
    "by seat": flat_fee("S", Decimal("3.335"), per_seat=True),
}


@pytest.mark.parametrize("model", MODELS)
def test_the_script_makes_the_common_prices_again(model, tmp_path):
    records = read_records(make_invoice([MODELS[model]]))
    assert recompute(records, tmp_path)[0] == 0
    line = next(record for record in records if record["record"] == "line")
    field = "unit_amount" if "unit_amount" in line["price"] else "tiers"
    if model not in ("all included", "nothing costs the first fee", "minimum", "cap"):
        changed = (
            "0.007" if field == "unit_amount" else [tier | {"unit_amount": "0.007"} for tier in line["price"][field]]
        )
        line["price"] = line["price"] | {field: changed}
        assert "price" in recompute(records, tmp_path)[1]


def test_prices_that_the_script_does_not_make_are_added_up(tmp_path):
    make_detailed_meters()
    subscription = make_subscription(plan=make_plan(prices=[CARDS, BY_HOST], limits=()))
    send("acme", "card.paid", *[(MID_JAN + n * HOUR, {"amount": Decimal("10.50") * n}) for n in range(20)])
    send("acme", "web.request", *[(MID_JAN, {"bytes": 7, "host": host}) for host in ("a", "b", "c", "a", None)])
    records = read_records(invoicing.close_period(subscription.period_id, at=FEB))
    assert recompute(records, tmp_path)[0] == 0
    dimensions = [record.get("dimensions") for record in records if record["record"] == "event"]
    assert dimensions[:2] == [None, None] or {"2": '["a",null]'} in dimensions
    line = next(record for record in records if record["record"] == "line")
    line["steps"][-1]["unit_amount"] = "0.26"
    assert recompute(records, tmp_path)[0] == 1


@pytest.mark.parametrize("aggregation", ["min", "max", "avg", "latest", "unique", "weighted_sum", "percentile", "sum"])
def test_the_script_makes_quantities_again(aggregation, tmp_path):
    create_meter(
        key="measured",
        name="Measured",
        unit="byte",
        event_type="web.request",
        aggregation=aggregation,
        value="bytes",
        percentile=Decimal(95) if aggregation == "percentile" else None,
        carries_over=aggregation in ("latest", "sum"),
        rounding="ceil",
        rounding_places=-1,
        at=JAN,
    )
    subscription = make_subscription(
        plan=make_plan(prices=[per_unit("M", meter_key="measured", unit_amount=Decimal("0.01"))], limits=())
    )
    use("acme", sizes=[100, 3], time=JAN - HOUR, at=MID_JAN)
    for n, size in enumerate([7, 1, 9, 9, 4, 2]):
        use("acme", sizes=[size], time=MID_JAN + n * HOUR, at=MID_JAN + n * HOUR)
    records = read_records(invoicing.close_period(subscription.period_id, at=FEB))
    assert recompute(records, tmp_path)[0] == 0
    line = next(record for record in records if record["record"] == "line")
    assert line["event_count"] == 6
    if aggregation not in ("weighted_sum", "percentile"):
        line["quantity"] = str(Decimal(line["quantity"]) + 10)
        assert "quantity" in recompute(records, tmp_path)[1]


def change_line(position: int, **fields: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def change(records):
        return [
            record | fields if record["record"] == "line" and record["position"] == position else record
            for record in records
        ]

    return change


def change_event(change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Callable[[list[dict[str, Any]]], Any]:
    """The first of them, and their number told as if nothing had been done."""

    def act(records):
        place = next(n for n, record in enumerate(records) if record["record"] == "event")
        changed = [*records[:place], *change(records[place]), *records[place + 1 : -1]]
        return [*changed, {"record": "end", "events": sum(record["record"] == "event" for record in changed)}]

    return act


def change_invoice(**fields: int) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda records: [records[0] | fields, *records[1:]]


def alter_step(records):
    lines = [record for record in records if record["record"] == "line"]
    lines[1]["steps"][1]["amount"] = "2.51"
    return records


def alter_tax(records):
    lines = [record for record in records if record["record"] == "line"]
    next(each for each in lines[0]["taxes"] if not each["is_inclusive"])["minor"] += 1
    return records


def alter_inclusive_tax(records):
    lines = [record for record in records if record["record"] == "line"]
    next(each for each in lines[0]["taxes"] if each["is_inclusive"])["minor"] -= 1
    return records


TAMPERED = {
    "an event removed": (change_event(lambda event: []), "line 2, count of events: stated 30, recomputed 29"),
    "an event doubled": (
        change_event(lambda event: [event, event]),
        "line 2, count of events: stated 30, recomputed 31",
    ),
    "an event's size changed": (
        change_event(lambda event: [event | {"sealed": event["sealed"].replace("5000000", "4000000")}]),
        "line 2, digest of events",
    ),
    "an event moved": (
        change_event(lambda event: [event | {"sealed": event["sealed"].replace("T12:00:00Z", "T12:00:01Z")}]),
        "line 2, digest of events",
    ),
    "an event's worth changed": (
        change_event(lambda event: [event | {"counts": event["counts"] | {"3": "5000001"}}]),
        "line 3, values",
    ),
    "a digest altered": (change_line(3, event_digest="0" * 64), "line 3, digest of events"),
    "a quantity altered": (change_line(2, quantity="31"), "line 2, quantity: stated 31, recomputed 30"),
    "a step altered": (alter_step, "line 2, step tier"),
    "a rounding altered": (change_line(2, amount_minor=1), "line 2, amount"),
    "an exact amount altered": (change_line(2, amount_exact="1"), "line 2, exact amount"),
    "a tax altered": (alter_tax, "line 1, tax VAT"),
    "a tax in the price altered": (alter_inclusive_tax, "line 1, tax in the price"),
    "a line's sum altered": (change_line(4, total_minor=1), "line 4, total"),
    "a discount altered": (change_line(4, discount_minor=1), "line 4, subtotal"),
    "a total altered": (change_invoice(total_minor=1), "the invoice, total"),
    "a due altered": (change_invoice(due_minor=1), "the invoice, due"),
    "the end cut off": (lambda records: records[:-1], "the file, number of events"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_the_script_finds_what_was_tampered_with(name, tmp_path):
    tamper, told = TAMPERED[name]
    status, out = recompute(tamper(read_records(make_invoice())), tmp_path)
    assert status == 1
    assert out.startswith(f"DIFFERS in {told}"), out


def test_the_script_is_a_hundred_lines_of_python_alone():
    source = SCRIPT.read_text()
    assert len(source.splitlines()) <= 100
    imported = {name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for name in
                [alias.name for alias in node.names]}  # fmt: skip
    imported |= {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


def test_hostile_text_stays_text(tmp_path):
    subscription = make_subscription(plan=make_plan(prices=PRICES, limits=()))
    send("acme", "web.request", (MID_JAN, {"bytes": 7, "=cmd": '=HYPERLINK("x")\u2028\n"}{'}))
    records = read_records(invoicing.close_period(subscription.period_id, at=FEB))
    assert recompute(records, tmp_path)[0] == 0


def test_an_invoice_of_another_account_has_no_evidence():
    invoice = make_invoice()
    other = make_subscription("third", plan=plans.find_plan("growth"))
    with pytest.raises(UnknownInvoice):
        write_evidence(invoice.number, account_id=other.account_id)


def test_what_was_dropped_is_refused_before_the_first_record():
    invoice = make_invoice()
    Pruning.objects.create(month=JAN.date(), event_count=1, kept_after=MID_JAN, pruned_at=LATER)
    with pytest.raises(HistoryPruned):
        write_evidence(invoice.number)
