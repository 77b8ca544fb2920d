"""How a quantity reads: `1,234 requests`, `168.1 MB`, and the short forms that fit on an axis. No database, no float.

Every function follows the active language: separators, plurals and the names of the powers of ten.
"""

from decimal import Context, Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext_lazy, pgettext

EXACT = Context(prec=60)
SHORT_FROM = Decimal("0.001")
EXPECTED_DIGITS = 3
SHORT_BELOW = Decimal(10) ** 18
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# The units we can put in the plural and translate. Any other is the vendor's own word and stands as it was written.
UNITS = {
    "byte": ngettext_lazy("byte", "bytes", "count"),
    "call": ngettext_lazy("call", "calls", "count"),
    "event": ngettext_lazy("event", "events", "count"),
    "hour": ngettext_lazy("hour", "hours", "count"),
    "message": ngettext_lazy("message", "messages", "count"),
    "minute": ngettext_lazy("minute", "minutes", "count"),
    "request": ngettext_lazy("request", "requests", "count"),
    "seat": ngettext_lazy("seat", "seats", "count"),
    "second": ngettext_lazy("second", "seconds", "count"),
    "token": ngettext_lazy("token", "tokens", "count"),
    "user": ngettext_lazy("user", "users", "count"),
}


def format_exact(quantity: Decimal, unit: str = "") -> str:
    """Every digit that counts, grouped: `2,747,282,740 bytes`. Trailing zeros go."""
    number = format_digits(quantity)
    return f"{number} {name_unit(unit, quantity)}" if unit else number


def format_readable(quantity: Decimal, unit: str) -> str:
    """What a person reads first: bytes as `168.1 MB`, anything else whole and grouped until it grows past a billion."""
    whole_from = 1000 if unit == "byte" else 10**9
    if quantity == 0 or SHORT_FROM <= abs(quantity) < whole_from:
        return format_exact(quantity.quantize(Decimal("0.001"), context=EXACT), unit)
    short = format_short(quantity, unit)
    return short if unit == "byte" else f"{short} {name_unit(unit, quantity)}"


def format_expected(quantity: Decimal, unit: str = "") -> str:
    """The three digits that count of what is not known to the last: `72,000 calls`. A few whole things stay whole."""
    return format_readable(round_expected(quantity), unit).rstrip()


def round_expected(quantity: Decimal) -> Decimal:
    if not quantity or (abs(quantity) < 1000 and quantity == quantity.to_integral_value()):
        return quantity
    return quantity.quantize(Decimal(1).scaleb(quantity.adjusted() - EXPECTED_DIGITS + 1), context=EXACT)


def format_short(quantity: Decimal, unit: str) -> str:
    """At most four digits, for an axis or a chip: `1.5 k`, `168.1 MB`, `3×10²⁰`. Only bytes carry their unit."""
    size = abs(quantity)
    if size and not SHORT_FROM <= size < SHORT_BELOW:
        return format_power(quantity, unit)
    power = 0 if size < 1000 else min(size.adjusted() // 3, 5)
    scaled = quantity.scaleb(-3 * power, context=EXACT).quantize(rounding_step(quantity, power), context=EXACT)
    if abs(scaled) >= 1000 and power < 5:  # 999.96 k reads 1 M
        power += 1
        scaled = quantity.scaleb(-3 * power, context=EXACT).quantize(Decimal("0.1"), context=EXACT)
    suffix = name_bytes(power, scaled) if unit == "byte" else name_power(power)
    return f"{format_digits(scaled)} {suffix}".rstrip()


def rounding_step(quantity: Decimal, power: int) -> Decimal:
    if power:
        return Decimal("0.1") if abs(quantity) >= 10 ** (3 * power + 1) else Decimal("0.01")
    return Decimal("0.1") if abs(quantity) >= 1 else Decimal("0.001")


def format_power(quantity: Decimal, unit: str) -> str:
    exponent = quantity.adjusted()
    digits = format_digits(quantity.scaleb(-exponent, context=EXACT).quantize(Decimal("0.1"), context=EXACT))
    suffix = f" {name_bytes(0, quantity)}" if unit == "byte" else ""
    return f"{digits}×10{str(exponent).translate(SUPERSCRIPTS)}{suffix}"


def format_digits(number: Decimal) -> str:
    """A decimal in the active language, grouped, without trailing zeros and without an exponent."""
    plain = f"{number:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return number_format(Decimal(plain) if number else 0, force_grouping=True)


def name_unit(unit: str, quantity: Decimal) -> str:
    """The unit's word for this quantity: `request`, `requests`, `requêtes`."""
    forms = UNITS.get(unit)
    return str(forms % {"count": count_for_plural(quantity)}) if forms else unit


def count_for_plural(quantity: Decimal) -> int:
    """A whole number whose plural form fits: what lies between one and two counts as two, huge numbers as a billion."""
    size = min(abs(quantity), Decimal(10**9))
    return 2 if 1 < size < 2 else int(size)


def name_power(power: int) -> str:
    names = (
        "",
        pgettext("thousand, on an axis", "k"),
        pgettext("million, on an axis", "M"),
        pgettext("billion, on an axis", "bn"),
        pgettext("trillion, on an axis", "tn"),
        pgettext("quadrillion, on an axis", "qn"),
    )
    return names[power]


def name_bytes(power: int, scaled: Decimal) -> str:
    names = (name_unit("byte", scaled), gettext("kB"), gettext("MB"), gettext("GB"), gettext("TB"), gettext("PB"))
    return names[power]
