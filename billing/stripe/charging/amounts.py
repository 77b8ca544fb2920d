"""Amounts in Stripe's units, where they are not ours. Pure.

Stripe counts some currencies with other decimals than ISO 4217, and charges those of three decimals in tens only
(docs.stripe.com, "Supported currencies": zero-decimal, three-decimal and special cases).
"""

from decimal import Decimal

from billing.money import find_exponent

FINER = {"ISK": 100, "UGX": 100}  # so many of Stripe's smallest units are one of ours
COARSER = {"MGA": 100}  # so many of ours are one of Stripe's
THREE_DECIMALS = 3
TEN = 10


def find_step(currency: str) -> int:
    """Of how many of our smallest units whatever Stripe asks is a multiple. Raises UnknownCurrency."""
    return TEN if find_exponent(currency) == THREE_DECIMALS else COARSER.get(currency, 1)


def find_askable(minor: int, currency: str) -> int:
    """What of an amount Stripe can ask, in our smallest units: never more."""
    return minor - minor % find_step(currency)


def write_minor(minor: int, currency: str) -> int:
    """Ours in Stripe's smallest units, rounded down where those are larger."""
    return minor * FINER.get(currency, 1) // COARSER.get(currency, 1)


def read_minor(amount: int, currency: str) -> int:
    """Stripe's in our smallest units. Raises ValueError for a part of one."""
    whole, rest = divmod(amount * COARSER.get(currency, 1), FINER.get(currency, 1))
    if rest:
        raise ValueError(f"{amount} of Stripe's units is no whole number of the smallest unit of {currency}")
    return whole


def write_money(minor: int, currency: str) -> str:
    """Ours as a drift says it, the same in every language, as what is accepted is known by it: `1234.50 EUR`."""
    return f"{Decimal(minor).scaleb(-find_exponent(currency)):f} {currency}"
