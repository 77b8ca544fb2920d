"""Amounts in Stripe's units, where they are not ours. Pure.

Stripe counts some currencies with other decimals than ISO 4217, and charges those of three decimals in tens only
(docs.stripe.com, "Supported currencies": zero-decimal, three-decimal and special cases).
"""

from billing.money import find_exponent

STRIPE_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}  # where Stripe's smallest unit is another one
THREE_DECIMALS = 3
TEN = 10


def find_step(currency: str) -> int:
    """Of how many of our smallest units whatever Stripe asks is a multiple. Raises UnknownCurrency."""
    ours = find_exponent(currency)
    if ours == THREE_DECIMALS:
        return TEN
    return int(TEN ** max(0, ours - STRIPE_EXPONENTS.get(currency, ours)))


def find_askable(minor: int, currency: str) -> int:
    """What of an amount Stripe can ask, in our smallest units: never more."""
    return minor - minor % find_step(currency)


def write_minor(minor: int, currency: str) -> int:
    """Ours in Stripe's smallest units, rounded down where those are larger."""
    ours = find_exponent(currency)
    theirs = STRIPE_EXPONENTS.get(currency, ours)
    return int(minor * TEN ** (theirs - ours)) if theirs >= ours else minor // TEN ** (ours - theirs)


def read_minor(amount: int, currency: str) -> int:
    """Stripe's in our smallest units. Raises ValueError for a part of one."""
    ours = find_exponent(currency)
    theirs = STRIPE_EXPONENTS.get(currency, ours)
    if theirs <= ours:
        return int(amount * TEN ** (ours - theirs))
    whole, rest = divmod(amount, int(TEN ** (theirs - ours)))
    if rest:
        raise ValueError(f"{amount} of Stripe's units is no whole number of the smallest unit of {currency}")
    return whole
