"""What a currency allows: its exponent and the least that a card can be charged. Source: Stripe's currency page."""

from decimal import Decimal

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
MINIMUM_CHARGE = {
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
    "usd": 50,
}


def find_minimum_charge(currency: str) -> int:
    """In the smallest unit. Of a currency that Stripe's table does not name, the least amount there is."""
    return MINIMUM_CHARGE.get(currency, 1)


def format_amount(minor: int, currency: str) -> str:
    """1234, "eur" → "EUR 12.34"."""
    places = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    return f"{currency.upper()} {Decimal(minor).scaleb(-places):,.{places}f}"
