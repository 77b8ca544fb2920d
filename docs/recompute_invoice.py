"""Recompute an invoice from its evidence, offline: python recompute_invoice.py FILE. docs/proof.md explains both."""

import json
import sys
from datetime import datetime
from fractions import Fraction
from hashlib import sha256

# Of these models and aggregations, of conversions, and of what no price made, only the steps are added up.
NOT_MADE = {"percentage", "graduated_percentage", "dimension", "weighted_sum", "percentile"}


def rounded(value, places=0, how="round"):  # "round" is half away from zero
    scaled = Fraction(value) * Fraction(10) ** places
    up, half = -(-scaled // 1), (2 * abs(scaled) + 1) // 2 * (1 if scaled > 0 else -1)
    return {"round": half, "half": half, "up": up, "ceil": up}.get(how, scaled // 1) / Fraction(10) ** places


def find_value(meter, data, at):  # what the meter reads off the event; None where it calculates or tells names apart
    begun = [each for each in meter["versions"] if datetime.fromisoformat(each["starts_at"] or "0001-01-01T00Z") <= at]
    for name in begun[-1]["value"].split("."):
        data = data.get(name) if isinstance(data, dict) else None
    is_number = isinstance(data, Fraction) and meter["aggregation"] != "unique"
    return Fraction(1) if meter["aggregation"] == "count" else rounded(data, 12) if is_number else None


def measure(meter, events):
    kind, values = meter["aggregation"], [value for _, value in sorted(events)]
    pick = {"count": len, "sum": sum, "min": min, "max": max, "latest": lambda each: each[-1]}
    pick |= {"unique": lambda each: len(set(each)), "avg": lambda each: rounded(sum(each) / len(each), 12)}
    found = Fraction(pick[kind](values) if values else 0)
    return rounded(found, meter["rounding_places"], meter["rounding"]) if meter["rounding"] else found


def charge(price, quantity):  # exact, in whole units of the currency
    charged, unit, floor = (
        max(quantity - Fraction(price.get("included_units", 0)), 0),
        Fraction(price.get("unit_amount", 0)),
        0,
    )
    if price["model"] == "package":
        charged = rounded(charged / Fraction(price["package_size"]), 0, price["package_rounding"])
    amount = unit * (charged if price["model"] != "flat" or price.get("per_seat") else 1)
    for number, tier in enumerate(price.get("tiers", ())):
        top = charged if tier["up_to"] is None else min(charged, Fraction(tier["up_to"]))
        units = top - floor if price["model"] != "volume" else charged if floor < top == charged else 0
        if units or (not charged and not number and price.get("first_tier_flat_at_zero")):
            packs = rounded(units / Fraction(tier["package_size"]), 0, "up") if "package_size" in tier else units
            amount += packs * Fraction(tier["unit_amount"]) + Fraction(tier.get("flat_amount", 0))
        floor = top
    return min(max(amount, Fraction(price.get("minimum", 0))), Fraction(price.get("cap", 10**30)))


def check_line(line, exponent):  # (field, what is stated, what comes out)
    meter, price, steps, taxes = line["meter"], line["price"], line["steps"], line["taxes"]
    if meter:
        yield from (("count of events", line["event_count"], len(line["seals"])), ("values", [], line["odd"]))
        yield "digest of events", line["event_digest"], f"{sum(line['seals']) % 2**256:064x}"
        if meter["aggregation"] not in NOT_MADE:
            yield "quantity", Fraction(line["quantity"]), measure(meter, line["events"])
    made = {id(step): Fraction(step["quantity"]) * Fraction(step["unit_amount"]) for step in steps}
    yield from ((f"step {step['kind']}", Fraction(step["amount"]), made[id(step)]) for step in steps)
    exact = sum(Fraction(step["amount"]) for step in steps)
    if price and price["model"] not in NOT_MADE and "conversion" not in price:
        yield "price", exact, charge(price, Fraction(line["quantity"]))
    yield "exact amount", Fraction(line["amount_exact"]), exact
    yield "amount", line["amount_minor"], rounded(exact, exponent) * 10**exponent
    amount, held = line["amount_minor"] - line["discount_minor"], [tax for tax in taxes if tax["is_inclusive"]]
    net = rounded(amount * 100 / (100 + sum(Fraction(tax["percent"]) for tax in held)))
    yield "tax in the price", sum(tax["minor"] for tax in held), amount - net
    for tax in (tax for tax in taxes if not tax["is_inclusive"]):
        yield f"tax {tax['name']}", tax["minor"], rounded(net * Fraction(tax["percent"]) / 100)
    taxed = sum(tax["minor"] for tax in taxes)
    for field, made in (("subtotal", net), ("tax", taxed), ("total", net + taxed)):
        yield field, line[f"{field}_minor"], made


with open(sys.argv[1], encoding="utf-8") as file:
    invoice, lines, count, record = json.loads(next(file)), {}, 0, {}
    for record in map(json.loads, file):
        if record["record"] == "line":
            lines[str(record["position"])] = record | {"events": [], "seals": [], "odd": []}
        elif record["record"] == "event":
            count, event = count + 1, json.loads(record["sealed"], parse_int=Fraction, parse_float=Fraction)
            at, seal = datetime.fromisoformat(event[2]), int(sha256(record["sealed"].encode()).hexdigest(), 16)
            for place, worth in record["counts"].items():
                line, meter = lines[place], lines[place]["meter"]
                value = worth if meter["aggregation"] == "unique" else Fraction(worth)
                line["events"].append((at, value))
                line["seals"] += [seal] * (at >= datetime.fromisoformat(invoice["period_start"]))
                line["odd"] += [event[1]] * (find_value(meter, event[5], at) not in (None, value))
found = [(f"line {place}", *each) for place, line in lines.items() for each in check_line(line, invoice["exponent"])]
sums = [f"{name}_minor" for name in ("discount", "subtotal", "tax", "total")]
found += [("the invoice", field, invoice[field], sum(row[field] for row in lines.values())) for field in sums]
found += [("the invoice", "due", invoice["due_minor"], invoice["total_minor"] - invoice["credited_minor"])]
found += [("the file", "number of events", record.get("events"), count)]
for where, field, stated, made in found:
    if stated != made:
        sys.exit(f"DIFFERS in {where}, {field}: stated {stated}, recomputed {made}")
print(f"PROVED {invoice['number']}: {invoice['total_minor']} of the smallest unit of {invoice['currency']}")
