"""Each kind of case with figures that no case at hand has; what must come out is worked out apart from the product.

Cases that are kept elsewhere have the same kinds and fields. So every field is set here at random, and the answers are
compared with sums in fractions that share no code with what they check.
"""

from calendar import monthrange
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

import tests.cases.commitment_kinds
import tests.cases.credit_kinds
import tests.cases.money_kinds
import tests.cases.period_kinds
import tests.cases.proration_kinds
import tests.cases.rating_kinds  # noqa: F401 (registers its kinds, as those before)
from tests.cases.cases import Case, find_differences
from tests.cases.kinds import RUNS

EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
CURRENCIES = st.sampled_from(sorted(EXPONENTS))


def check(kind, given, expected):
    assert find_differences(Case("here", kind, given, expected), RUNS[kind](given)) == []


def number(low, high, places):
    return st.decimals(low, high, places=places, allow_nan=False).map(lambda each: f"{abs(each):f}")


def exactly(value):
    """A fraction whose denominator is of twos and fives, as a case writes it."""
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    whole = abs(value * 10**places).numerator
    text = f"{whole:0{places + 1}d}"
    return ("-" if value < 0 else "") + (f"{text[:-places]}.{text[-places:]}" if places else text)


def half_away(value):
    size = floor(abs(value) + Fraction(1, 2))
    return -size if value < 0 else size


def money(value, currency):
    exponent = EXPONENTS[currency]
    return exactly(Fraction(half_away(Fraction(value) * 10**exponent), 10**exponent))


PRICES = number(0, 500, 4)
FEES = st.sampled_from(["0", "2", "0.75", "100"])
QUANTITIES = st.one_of(st.just("0"), number(0, 60, 0), number(0, 60, 6), number(0, 10**12, 0))
ENDS = st.lists(st.integers(1, 50), unique=True, max_size=4).map(sorted)


@st.composite
def tables(draw, price="unit_price", amounts=PRICES):
    ends = draw(ENDS)
    return [
        {"up_to": None if end is None else str(end), price: draw(amounts), "flat_fee": draw(FEES)}
        for end in [*ends, None]
    ]


def tiered(tiers, quantity, *, mode="graduated", select=None, at_zero=False, price="unit_price", share=1):
    """The amounts of tiers, from their definition."""
    if quantity <= 0:
        return [Fraction(tiers[0]["flat_fee"])] if at_zero and Fraction(tiers[0]["flat_fee"]) else []
    floors = [Fraction(0), *(Fraction(tier["up_to"]) for tier in tiers[:-1])]
    if mode == "volume":
        reached = max(place for place, low in enumerate(floors) if (select or quantity) > low)
        return [quantity * Fraction(tiers[reached][price]) + Fraction(tiers[reached]["flat_fee"])]
    amounts = []
    for tier, low in zip(tiers, floors, strict=True):
        if quantity > low:
            top = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
            amounts.append((top - low) * Fraction(tier[price]) * share + Fraction(tier["flat_fee"]))
    return amounts


MODES = st.sampled_from(["graduated", "volume"])


@given(tables(), MODES, QUANTITIES, st.booleans(), number(0, 30, 0), st.none() | number(0, 9000, 2))
def test_tiered(tiers, mode, quantity, at_zero, free, cap):
    charged = max(Fraction(quantity) - Fraction(free), Fraction(0))
    amounts = tiered(tiers, charged, mode=mode, at_zero=at_zero)
    total = sum(amounts) if cap is None else min(sum(amounts), Fraction(cap))
    terms = {"mode": mode, "tiers": tiers, "quantity": quantity, "free_units": free, "first_tier_flat_at_zero": at_zero}
    expected = {"amount": exactly(Fraction(total)), "tier_amounts": [exactly(each) for each in amounts]}
    check("tiered", terms | ({} if cap is None else {"max_total": cap}), expected)


@given(tables(), number(1, 60, 3), number(1, 60, 0))
def test_tiered_by_another_quantity(tiers, quantity, select):
    [amount] = tiered(tiers, Fraction(quantity), mode="volume", select=Fraction(select)) or [Fraction(0)]
    given = {"mode": "volume", "tiers": tiers, "quantity": quantity, "tier_selection_quantity": select}
    check("tiered", given, {"amount": exactly(amount)})


@given(tables(), MODES, number(0, 60, 2), number(0, 60, 2), st.none() | number(0, 9000, 2))
def test_tiered_incremental(tiers, mode, previous, added, cap):
    before, after = (
        sum(tiered(tiers, quantity, mode=mode), start=Fraction(0))
        for quantity in (Fraction(previous), Fraction(previous) + Fraction(added))
    )
    limit = after + before if cap is None else Fraction(cap)
    given = {"mode": mode, "tiers": tiers, "previous_quantity": previous, "added_quantity": added}
    given |= {} if cap is None else {"max_total": cap}
    held = min(after, limit) - min(before, limit)
    check("tiered_incremental", given, {"amount": exactly(held), "capped_off": exactly(after - before - held)})


@given(tables(), MODES, number(0, 60, 2), number(0, 60, 2))
def test_rerate_delta(tiers, mode, billed, new):
    before, after = (sum(tiered(tiers, Fraction(each), mode=mode), start=Fraction(0)) for each in (billed, new))
    given = {"mode": mode, "tiers": tiers, "billed_quantity": billed, "new_quantity": new}
    check("rerate_delta", given, {"net": exactly(after - before)})


ROUND = {"up": ceil, "down": floor, "half": half_away, None: ceil}


@given(number(1, 1000, 0), PRICES, number(0, 200, 0), QUANTITIES, st.sampled_from([None, "up", "down", "half"]))
def test_package(size, price, free, quantity, rounding):
    charged = max(Fraction(quantity) - Fraction(free), Fraction(0))
    packages = ROUND[rounding](charged / Fraction(size))
    given = {"package_size": size, "package_price": price, "free_units": free, "quantity": quantity}
    expected = {"amount": exactly(packages * Fraction(price)), "packages": str(packages)}
    check("package", given | ({"rounding": rounding} if rounding else {}), expected)


@given(number(1, 100, 0), PRICES, number(0, 500, 1), number(0, 500, 1), number(0, 5000, 1))
def test_package_incremental(size, price, previous, added, cap):
    whole = [
        ceil(Fraction(each) / Fraction(size)) * Fraction(price)
        for each in (previous, exactly(Fraction(previous) + Fraction(added)))
    ]
    held = [min(each, Fraction(cap)) for each in whole]
    given = {"package_size": size, "package_price": price, "previous_quantity": previous, "added_quantity": added}
    expected = {"amount": exactly(held[1] - held[0]), "capped_off": exactly(whole[1] - whole[0] - held[1] + held[0])}
    check("package_incremental", given | {"max_total": cap}, expected)
    check("package_incremental", given, {"amount": exactly(whole[1] - whole[0])})


@given(number(0, 100, 2), number(0, 100, 2), number(0, 100, 2))
def test_free_units_incremental(free, previous, added):
    left = max(Fraction(free) - Fraction(previous), Fraction(0))
    given = {"free_units": free, "previous_quantity": previous, "added_quantity": added}
    expected = exactly(max(Fraction(added) - left, Fraction(0)))
    check("free_units_incremental", given, {"billable_quantity": expected})


@given(
    number(0, 10**7, 0),
    st.sampled_from(["1000", "3600", "1048576", "60", "7"]),
    st.sampled_from(["1", "8", "0.5"]),
    st.sampled_from(["up", "down", "half"]),
    number(0, 9, 1),
    PRICES,
    st.none() | st.sampled_from(["1", "0.1", "0.01", "0.001"]),
)
def test_unit_conversion(quantity, divide, multiply, rounding, free, price, step):
    units = ROUND[rounding](Fraction(quantity) * Fraction(multiply) / Fraction(divide))
    billed = max(units - Fraction(free), Fraction(0))
    amount = billed * Fraction(price)
    if step is not None:
        amount = half_away(amount / Fraction(step)) * Fraction(step)
    given = {"quantity": quantity, "divide_by": divide, "multiply_by": multiply, "rounding": rounding}
    given |= {"free_units_after_rounding": free, "unit_price": price} | ({} if step is None else {"round_to": step})
    check("unit_conversion", given, {"billed_units": exactly(billed), "amount": exactly(amount)})


@given(number(0, 10**6, 0), tables(), MODES, st.sampled_from(["up", "down", "half"]))
def test_unit_conversion_into_tiers(quantity, tiers, mode, rounding):
    units = Fraction(ROUND[rounding](Fraction(quantity) / 1000))
    given = {"quantity": quantity, "divide_by": "1000", "rounding": rounding, "mode": mode, "tiers": tiers}
    amounts = tiered(tiers, units, mode=mode)
    check("unit_conversion", given, {"billed_units": exactly(units), "amount": exactly(sum(amounts, Fraction(0)))})


@given(number(0, 10**6, 0), number(1, 50, 0), PRICES, st.sampled_from(["up", "down"]))
def test_unit_conversion_into_packages(quantity, size, price, rounding):
    units = ROUND[rounding](Fraction(quantity) / 1000)
    packages = ceil(units / Fraction(size))
    given = {"quantity": quantity, "divide_by": "1000", "rounding": rounding, "mode": "package"}
    given |= {"package_size": size, "package_price": price}
    check("unit_conversion", given, {"packages": str(packages), "amount": exactly(packages * Fraction(price))})


@given(st.lists(number(0, 60, 2), max_size=5), tables(), MODES, PRICES, number(1, 20, 0))
def test_bucketed(values, tiers, mode, price, size):
    amount = sum((sum(tiered(tiers, Fraction(each), mode=mode), Fraction(0)) for each in values), Fraction(0))
    check("bucketed", {"bucket_values": values, "mode": mode, "tiers": tiers}, {"amount": exactly(amount)})
    amount = sum((Fraction(each) for each in values), Fraction(0)) * Fraction(price)
    check("bucketed", {"bucket_values": values, "mode": "unit", "unit_price": price}, {"amount": exactly(amount)})
    packages = sum(ceil(Fraction(each) / Fraction(size)) for each in values)
    given = {"bucket_values": values, "mode": "package", "package_size": size, "package_price": price}
    check("bucketed", given, {"amount": exactly(packages * Fraction(price))})


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 20), PRICES), min_size=1, max_size=4),
    MODES,
    number(0, 10_000, 0),
    st.booleans(),
)
def test_block_tiers(blocks, mode, quantity, is_open):
    """Where the last tier is full its price goes on."""
    rows = [{"size": str(size), "max_blocks": str(most), "price": price} for size, most, price in blocks]
    if is_open:
        rows[-1]["max_blocks"] = None
    low, amounts, reached = Fraction(0), [], None
    for place, (size, most, price) in enumerate(blocks):
        is_last = place == len(blocks) - 1
        if Fraction(quantity) > low:
            top = Fraction(quantity) if is_last else min(Fraction(quantity), low + size * most)
            amounts.append(ceil((top - low) / size) * Fraction(price))
            reached = ceil(Fraction(quantity) / size) * Fraction(price)
        low += size * most
    given = {"mode": mode, "quantity": quantity, "blocks": rows}
    if mode == "volume":
        check("block_tiers", given, {"amount": exactly(reached or Fraction(0))})
    else:
        expected = {"amount": exactly(sum(amounts, Fraction(0))), "tier_amounts": [exactly(each) for each in amounts]}
        check("block_tiers", given, expected)


@given(
    st.lists(number(0, 900, 2), max_size=6),
    st.sampled_from(["0", "1.3", "2.99", "100"]),
    FEES,
    st.none() | number(0, 900, 1),
    st.none() | st.integers(1, 4),
    st.none() | st.sampled_from(["0.5", "1.75", "3"]),
    st.none() | st.sampled_from(["3", "12"]),
)
def test_percentage(values, rate, fee, free_amount, free_count, least, most):
    free = Fraction(free_amount or 0)
    used, total = Fraction(0), Fraction(0)
    for place, value in enumerate(map(Fraction, values)):
        counts = not free_count or place < free_count
        lasts = not free or used < free
        exempt = min(value, free - used) if free else value
        exempt = exempt if (free or free_count) and counts and lasts else Fraction(0)
        if (free or free_count) and counts and lasts and exempt == value and (value or not free or used < free):
            used += exempt
            continue
        used += exempt
        charge = (value - exempt) * Fraction(rate) / 100 + Fraction(fee)
        charge = charge if least is None else max(charge, Fraction(least))
        total += charge if most is None else min(charge, Fraction(most))
    given = {"rate_percent": rate, "fee_per_transaction": fee, "transactions": values}
    given |= {"free_amount": free_amount, "free_transactions": free_count}
    given |= {"min_per_transaction": least, "max_per_transaction": most}
    check("percentage", {name: value for name, value in given.items() if value is not None}, {"amount": exactly(total)})


@given(tables(price="rate_percent", amounts=number(0, 100, 2)), number(0, 60, 2), st.booleans())
def test_graduated_percentage(tiers, value, at_zero):
    total = sum(
        tiered(tiers, Fraction(value), at_zero=at_zero, price="rate_percent", share=Fraction(1, 100)), Fraction(0)
    )
    given = {"tiers": tiers, "value": value, "first_tier_flat_at_zero": at_zero}
    check("graduated_percentage", given, {"amount": exactly(total)})


@given(tables(price="rate_percent", amounts=number(0, 100, 2)), st.lists(number(1, 60, 2), min_size=1, max_size=4))
def test_graduated_percentage_running(tiers, values):

    def worth(value):
        return sum(tiered(tiers, value, price="rate_percent", share=Fraction(1, 100)), Fraction(0))

    sums = [sum(map(Fraction, values[:place]), Fraction(0)) for place in range(len(values) + 1)]
    amounts = [exactly(worth(after) - worth(before)) for before, after in pairwise(sums)]
    check("graduated_percentage_running", {"tiers": tiers, "transactions": values}, {"amounts": amounts})


@st.composite
def windows(draw):
    terms = {
        "unit_price": draw(st.sampled_from(["1", "2", "0.25"])),
        "overage_factor": draw(st.sampled_from(["1", "1.5", "2"])),
    }
    terms |= {"true_up": draw(st.booleans())}
    by = draw(st.sampled_from([None, "commitment_amount", "commitment_quantity"]))
    return terms | ({by: draw(number(0, 20, 1))} if by else {})


@given(
    windows(),
    windows(),
    st.integers(0, 23),
    st.integers(0, 24),
    st.lists(st.tuples(st.integers(0, 23), number(0, 30, 1)), max_size=5),
)
def test_window_commitment(default, other, low, high, used):
    parts = {"utilized": Fraction(0), "overage": Fraction(0), "true_up": Fraction(0)}
    if low == high:
        high = 24 if low < 24 else 23
    for hour, quantity in used:
        inside = low <= hour < high if low < high else hour >= low or hour < high
        terms = other if inside else default
        price = Fraction(terms["unit_price"])
        amount, promised = Fraction(quantity) * price, None
        if "commitment_amount" in terms:
            promised = Fraction(terms["commitment_amount"])
        elif "commitment_quantity" in terms:
            promised = Fraction(terms["commitment_quantity"]) * price
        if promised is None:
            parts["utilized"] += amount
            continue
        parts["utilized"] += min(amount, promised)
        parts["overage"] += max(amount - promised, 0) * Fraction(terms["overage_factor"])
        parts["true_up"] += max(promised - amount, 0) if terms["true_up"] else 0
    given = {"default": default, "bucket": other | {"from_hour": low, "to_hour": high}}
    given |= {"windows": [{"hour": hour, "usage": quantity} for hour, quantity in used]}
    expected = {name: exactly(each) for name, each in parts.items()} | {"total": exactly(sum(parts.values()))}
    check("window_commitment", given, expected)


AMOUNTS = st.decimals(-(10**9), 10**9, places=6).map(lambda each: f"{each + 0:f}")


@given(AMOUNTS, CURRENCIES)
def test_round_money(amount, currency):
    check("round_money", {"amount": amount, "currency": currency}, {"amount": money(amount, currency)})


@given(st.lists(AMOUNTS, max_size=8), CURRENCIES)
def test_round_lines(lines, currency):
    subtotal = sum((Fraction(money(line, currency)) for line in lines), Fraction(0))
    check("round_lines", {"lines": lines, "currency": currency}, {"subtotal": exactly(subtotal)})


@given(number(0, 10**6, 6), number(0, 100, 8), CURRENCIES)
def test_usage_line(quantity, price, currency):
    expected = money(Fraction(quantity) * Fraction(price), currency)
    check("usage_line", {"quantity": quantity, "unit_price": price, "currency": currency}, {"amount": expected})


@given(
    st.decimals(-1000, 10**6, places=2).map(lambda each: f"{each + 0:f}"),
    number(0, 100, 12),
    st.none() | st.integers(0, 5000),
)
def test_usage_minor(quantity, price, cap):
    amount = max(half_away(Fraction(quantity) * Fraction(price)), 0)
    given = {"unit_price_minor": price, "quantity": quantity}
    if cap is None:
        check("usage_minor", given | {"floor_zero": True}, {"amount_minor": amount})
        net = half_away(Fraction(quantity) * Fraction(price))
        check("usage_minor", given | {"floor_zero": False}, {"amount_minor": net})
    else:
        check("usage_minor", given | {"cap_minor": cap}, {"amount_minor": min(amount, cap)})


@given(
    st.integers(-(10**6), 10**6),
    st.sampled_from(["0", "5.5", "8.875", "19", "23.33", "100"]),
    CURRENCIES,
    st.booleans(),
)
def test_tax(minor, percent, currency, inclusive):
    scale = 10 ** EXPONENTS[currency]
    rate = Fraction(percent) / 100
    net = half_away(minor / (1 + rate)) if inclusive else minor
    tax = minor - net if inclusive else half_away(minor * rate)
    given = {"base": exactly(Fraction(minor, scale)), "rate_percent": percent, "currency": currency}
    expected = {"tax": tax, "net": net, "total": net + tax}
    expected = {name: exactly(Fraction(each, scale)) for name, each in expected.items()}
    check("tax", given | {"inclusive": inclusive}, expected)


@given(
    st.integers(-(10**6), 10**6), st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any), st.integers(0, 3)
)
def test_allocate(minor, weights, places):
    exact = [Fraction(abs(minor) * weight, sum(weights)) for weight in weights]
    parts = [floor(each) for each in exact]
    for place in sorted(range(len(parts)), key=lambda each: floor(exact[each]) - exact[each])[
        : abs(minor) - sum(parts)
    ]:
        parts[place] += 1
    sign = -1 if minor < 0 else 1
    given = {
        "amount": exactly(Fraction(minor, 10**places)),
        "weights": [str(each) for each in weights],
        "places": places,
    }
    check("allocate", given, {"parts": [exactly(Fraction(sign * part, 10**places)) for part in parts]})


DAYS = st.integers(1, 366).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))
MINOR = st.integers(0, 10**7)
PERCENTS = st.sampled_from(["0", "5.5", "20", "23.33", "25"])


@given(MINOR, DAYS, PERCENTS)
def test_credit_note(price, days, percent):
    net = half_away(Fraction(price * days[0], days[1]))
    tax = half_away(net * Fraction(percent) / 100)
    given = {"price_minor": price, "unused_days": days[0], "period_days": days[1], "tax_percent": percent}
    check("credit_note", given, {"subtotal_minor": net, "tax_minor": tax, "total_minor": net + tax})


@given(MINOR, MINOR, MINOR, DAYS)
def test_commitment_true_up(commitment, fee, usage, days):
    part = Fraction(*days)
    promised, asked = half_away(commitment * part), half_away(fee * part)
    given = {"commitment_minor": commitment, "plan_fee_minor": fee, "usage_minor": usage}
    given |= {"days": days[0], "period_days": days[1]}
    expected = {"prorated_commitment_minor": promised, "prorated_plan_fee_minor": asked}
    check("commitment_true_up", given, expected | {"true_up_minor": max(promised - asked - usage, 0)})


@given(MINOR, MINOR, DAYS, PERCENTS)
def test_charge_minimum(minimum, usage, days, percent):
    missing = max(half_away(minimum * Fraction(*days)) - usage, 0)
    given = {"minimum_minor": minimum, "usage_minor": usage, "days": days[0], "period_days": days[1]}
    expected = {"true_up_minor": missing, "true_up_tax_minor": half_away(missing * Fraction(percent) / 100)}
    expected |= {"usage_tax_minor": half_away(usage * Fraction(percent) / 100)}
    check("charge_minimum", given | {"tax_percent": percent}, expected)


@given(MINOR, MINOR, MINOR)
def test_invoice_total(fees, tax, notes):
    given = {"fees_minor": fees, "tax_minor": tax, "credit_notes_minor": notes}
    check("invoice_total", given, {"total_minor": max(fees + tax - notes, 0)})


@given(number(0, 10**6, 4), number(0, 10**6, 4), CURRENCIES)
def test_true_up_rounding_and_minimum_spend(commitment, usage, currency):
    missing = exactly(max(Fraction(money(commitment, currency)) - Fraction(money(usage, currency)), Fraction(0)))
    check("true_up_rounding", {"commitment": commitment, "usage": usage, "currency": currency}, {"true_up": missing})
    check("minimum_spend", {"minimum": commitment, "billed": usage, "currency": currency}, {"true_up": missing})


@given(MINOR, DAYS)
def test_proration_days_and_coefficient(price, days):
    given = {"days": days[0], "period_days": days[1]}
    part = Fraction(*days)
    check("proration_days", given | {"price_minor": price}, {"amount_minor": half_away(price * part)})
    check("coefficient", given, {"coefficient": exactly(Fraction(half_away(part * 10**15), 10**15))})


@given(number(0, 10**5, 3), number(0, 10**5, 3), DAYS, CURRENCIES)
def test_proration_days_pair(old, new, days, currency):
    given = {"old_amount": old, "new_amount": new, "days": days[0], "period_days": days[1], "currency": currency}
    scale = 10 ** EXPONENTS[currency]
    credit, charge = (half_away(half_away(Fraction(each) * scale) * Fraction(*days)) for each in (old, new))
    expected = {"credit": credit, "charge": charge, "net": charge - credit}
    check("proration_days_pair", given, {name: exactly(Fraction(each, scale)) for name, each in expected.items()})


@given(MINOR, MINOR, st.integers(0, 30 * 86400), st.sampled_from(["proration_seconds", "interval_change"]))
def test_proration_seconds(old, new, passed, kind):
    """A period of thirty days in June, the moment of the change to the second."""
    days, seconds = divmod(passed, 86400)
    at = f"2025-06-{days + 1:02d}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
    at = "2025-07-01T00:00:00Z" if days == 30 else at
    left = 1 - Fraction(passed, 30 * 86400)
    charge = half_away(new * left) if kind == "proration_seconds" else new
    given = {"period_start": "2025-06-01T00:00:00Z", "period_end": "2025-07-01T00:00:00Z", "change_at": at}
    given |= {"old_price_minor": old, "new_price_minor": new}
    check(kind, given, {"credit_minor": half_away(old * left), "charge_minor": charge})


FRACTIONS = st.sampled_from(["0", "1", "0.5", "1/2", "1/3", "17/31", "0.25"])
OFFS = (
    st.none()
    | st.builds(lambda each: {"percent": each}, PERCENTS)
    | st.builds(lambda each: {"amount_minor": each}, MINOR)
)


def take_off(price, terms):
    if terms is None:
        return price
    if "percent" in terms:
        return price - half_away(price * Fraction(terms["percent"]) / 100)
    return max(price - terms["amount_minor"], 0)


@given(MINOR, MINOR, FRACTIONS, OFFS, OFFS)
def test_proration_discount(old, new, left, old_off, new_off):
    given = {"fraction_left": left, "old_price_minor": old, "new_price_minor": new}
    expected = {"credit_minor": half_away(take_off(old, old_off) * Fraction(left))}
    expected |= {"charge_minor": half_away(take_off(new, new_off) * Fraction(left))}
    check("proration_discount", given | {"old_discount": old_off, "new_discount": new_off}, expected)


@given(st.integers(0, 10**4), st.integers(1, 10**4), st.integers(0, 30), st.integers(0, 30), FRACTIONS)
def test_seats(price, discount, old, new, left):
    charge = half_away(price * (new - old) * Fraction(left))
    given = {"price_per_seat_minor": price, "old_seats": old, "new_seats": new, "fraction_left": left}
    check("seat_change", given, {"charge_minor": charge, "credit_minor": -charge})
    after, before = (max(seats * price - discount, 0) for seats in (new, old))
    expected = {"charge_minor": half_away((after - before) * Fraction(left))}
    check("seat_discount", given | {"discount_minor": discount}, expected)


@given(AMOUNTS, number(0, 1000, 2), number(0, 1000, 2))
def test_credit_cap(potential, paid, earlier):
    wanted = half_away(Fraction(potential) * 100)
    credit = max(0, min(wanted, half_away(Fraction(paid) * 100) - half_away(Fraction(earlier) * 100)))
    given = {"potential_credit": potential, "paid": paid, "earlier_credits": earlier}
    check("credit_cap", given, {"credit": exactly(Fraction(credit, 100))})


@given(
    st.dates(date(1999, 1, 1), date(2060, 12, 31)),
    st.sampled_from([("month", 1), ("quarter", 3), ("half_year", 6), ("half-year", 6), ("year", 12)]),
    st.integers(1, 40),
)
def test_period_sequence(anchor, interval, count):
    starts = []
    for place in range(count + 1):
        year, month = divmod(anchor.year * 12 + anchor.month - 1 + place * interval[1], 12)
        starts.append(date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1])).isoformat())
    given = {"anchor": anchor.isoformat(), "interval": interval[0], "count": count}
    check("period_sequence", given, {"starts": starts[:-1], "ends": starts[1:]})
    local = given | {"timezone": "America/Sao_Paulo"}
    check("period_sequence", local, {"starts": starts[:-1]})


@given(st.integers(1990, 2060), st.integers(1, 12))
def test_days_in_period(year, month):
    check("days_in_period", {"year": year, "month": month}, {"days": monthrange(year, month)[1]})
    check("days_in_period", {"year": year, "interval": "year"}, {"days": 365 + (monthrange(year, 2)[1] == 29)})


@given(MINOR, MINOR, DAYS, MINOR)
def test_progressive_termination(fee, usage, days, billed):
    fees = half_away(fee * Fraction(*days)) + usage
    given = {"plan_fee_minor": fee, "days": days[0], "period_days": days[1], "usage_minor": usage}
    expected = {"fees_minor": fees, "credit_minor": min(billed, fees), "total_minor": max(fees - billed, 0)}
    check("progressive_termination", given | {"already_billed_minor": billed}, expected)


@given(
    st.lists(st.integers(1, 3000), unique=True, max_size=3).map(sorted),
    st.none() | st.integers(1, 2000),
    st.lists(st.integers(0, 2000) | st.none(), max_size=12),
    st.integers(0, 5000),
    st.sampled_from(["EUR", "JPY"]),
)
def test_progressive(thresholds, step, moves, fee, currency):
    """Usage at a unit each; None ends a period."""
    if not thresholds and step is None:
        thresholds = [100]
    lifetime = current = billed = 0
    steps, expected = [], []

    def rank(worth):
        """How many thresholds lie at or under it."""
        count = sum(each <= worth for each in thresholds)
        top = thresholds[-1] if thresholds else 0
        return count + ((worth - top) // step if step and worth > top else 0)

    for move in moves:
        if move is None:
            steps.append({"period_end": True})
            fees = current + fee
            expected.append({"fees_minor": fees, "credit_minor": billed, "total_minor": fees - billed})
            current = billed = 0
            continue
        steps.append({"usage": str(move)})
        crossed = rank(lifetime + move) > rank(lifetime)
        lifetime, current = lifetime + move, current + move
        expected.append({"invoice_minor": current - billed if crossed else None})
        billed = current if crossed else billed
    given = {"unit_price_minor": "1", "plan_fee_minor": fee, "thresholds_minor": thresholds, "recurring_minor": step}
    check("progressive", given | {"steps": steps, "currency": currency}, {"steps": expected})


@given(st.lists(number(0, 100, 1), max_size=5), st.lists(number(0, 100, 1), max_size=5))
def test_fifo(topups, spend):
    left, links = [Fraction(each) for each in topups], []
    for each in map(Fraction, spend):
        parts = []
        for place in range(len(left)):
            taken = min(left[place], each)
            if taken:
                left[place] -= taken
                each -= taken
                parts.append([str(place), exactly(taken)])
        links.append(parts)
    check("fifo", {"topups": topups, "spend": spend}, {"remaining": [exactly(each) for each in left], "links": links})


@given(
    number(0, 200, 1), number(0, 300, 1), st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted), st.booleans()
)
def test_grant_reset_and_recurring(amount, used, bounds, keeps):
    balance = max(Fraction(amount) - Fraction(used), Fraction(0))
    over = max(Fraction(used) - Fraction(amount), Fraction(0))
    rolled = min(Fraction(bounds[1]), max(Fraction(bounds[0]), balance))
    given = {"amount": amount, "rollover_min": str(bounds[0]), "rollover_max": str(bounds[1])}
    after = max(rolled - (over if keeps else 0), Fraction(0))
    check("grant_reset", given | {"used": used, "preserve_overage": keeps}, {"balance_after": exactly(after)})
    fresh = Fraction(amount) + rolled
    given |= {"used_before_recurrence": used, "overage_carried": keeps}
    check("grant_recurring", given, {"balance": exactly(max(fresh - (over if keeps else 0), Fraction(0)))})


@given(
    st.lists(
        st.tuples(number(0, 50, 1), st.integers(0, 2), st.integers(1, 3), st.none() | st.integers(4, 9)), max_size=4
    ),
    st.lists(st.tuples(st.integers(1, 9), number(0, 40, 1)), max_size=5),
)
def test_grant_burn(grants, usage):
    """Day by day: what ends on a day is gone in its first moment, what begins is there; overage waits."""
    left = {place: Fraction(0) for place in range(len(grants))}
    over = Fraction(0)
    for day in range(1, 11):
        for place, (amount, _, starts, ends) in enumerate(grants):
            if day == starts:
                left[place] = Fraction(amount)
            if ends is not None and day >= ends:
                left[place] = Fraction(0)
        over += sum((Fraction(amount) for at, amount in usage if at == day and day < 10), Fraction(0))
        order = sorted(left, key=lambda place: (grants[place][1], grants[place][3] or 99, grants[place][2]))
        for place in order:
            taken = min(left[place], over)
            left[place] -= taken
            over -= taken

    def at(day):
        return None if day is None else f"2024-01-{day:02d}T00:00:00Z"

    rows = [
        {"id": str(place), "amount": amount, "priority": priority, "effective_at": at(starts), "expires_at": at(ends)}
        for place, (amount, priority, starts, ends) in enumerate(grants)
    ]
    given = {"from": at(1), "until": at(10), "grants": rows, "usage": [[at(day), amount] for day, amount in usage]}
    balances = {str(place): exactly(each) for place, each in left.items()}
    check("grant_burn", given, {"balances": balances, "overage": exactly(over)})
