"""Money on documents: whole numbers of a currency's smallest unit. No Django here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from fractions import Fraction

# A Fraction where a division does not come out even, as a third of a month does; so it is still rounded once.
Exact = int | Decimal | Fraction

# 38-digit quantities times 24-digit prices need 62 digits; Python's default of 28 would round in silence.
EXACT = Context(prec=120, rounding=ROUND_HALF_UP, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])

# ISO 4217. Most currencies have two decimals; the exceptions are named.
TWO_DECIMALS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS: dict[str, int] = {
    code: exponent
    for exponent, codes in ((2, TWO_DECIMALS), (0, NO_DECIMALS), (3, THREE_DECIMALS))
    for code in codes.split()
}


class UnknownCurrency(ValueError):
    """The code is not one of ISO 4217's currencies in use."""

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency!r} is not a currency code of ISO 4217.")


class CurrencyMismatch(ValueError):
    """Two currencies were about to be added."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second} cannot be added.")


class NothingToShareBy(ValueError):
    """An amount cannot be shared by weights that are below zero, or that are all zero."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount as documents hold it: `minor` smallest units of `currency` (cents, yen, fils)."""

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """In whole units, with exactly the currency's decimals: 4900 EUR is Decimal("49.00")."""
        return Decimal(self.minor).scaleb(-find_exponent(self.currency), EXACT)

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return Money(self.minor + other.minor, self.currency)


def find_exponent(currency: str) -> int:
    """How many decimals the currency has. Raises UnknownCurrency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(currency) from None


def round_money(exact: Exact, currency: str) -> Money:
    """The amount of a document: `exact` whole units of the currency, rounded to its exponent."""
    exponent = find_exponent(currency)
    scaled = exact.scaleb(exponent, EXACT) if isinstance(exact, Decimal) else exact * 10**exponent
    return Money(round_minor(scaled), currency)


def round_minor(exact: Exact) -> int:
    """The one place where an amount loses digits: smallest units of a currency, half away from zero."""
    if isinstance(exact, Decimal):
        return int(exact.to_integral_value(ROUND_HALF_UP))
    numerator, denominator = exact.numerator, exact.denominator
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -size if numerator < 0 else size


def allocate(total_minor: int, weights: Sequence[Exact]) -> tuple[int, ...]:
    """Share an amount in proportion to the weights, so that the parts add up to it exactly.

    Each part is its exact share rounded towards zero; the units that are left go one each to the parts that lost most,
    of equal ones to the first (the method of the largest remainder, A. Hamilton 1792). Raises NothingToShareBy.
    """
    shares = [Fraction(weight) for weight in weights]
    whole = sum(shares)
    if any(share < 0 for share in shares) or (total_minor and not whole):
        raise NothingToShareBy(f"{total_minor} cannot be shared by the weights {[str(weight) for weight in weights]}.")
    if not total_minor:
        return (0,) * len(shares)
    exact = [abs(total_minor) * share / whole for share in shares]
    parts = [int(part) for part in exact]
    by_loss = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in by_loss[: abs(total_minor) - sum(parts)]:
        parts[place] += 1
    return tuple(parts) if total_minor > 0 else tuple(-part for part in parts)


def add_money(parts: Iterable[Money], currency: str) -> Money:
    """The sum of amounts of one currency; zero when there are none. Raises CurrencyMismatch."""
    return sum(parts, start=Money(0, currency))
