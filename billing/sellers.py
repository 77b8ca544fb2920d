"""Who sells, as documents name them: from the settings, and frozen with each invoice as it is written."""

from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class SellerFact:
    """`address` and `payment`, which says how to pay, may have several lines; `payment_days` run from the issue."""

    name: str
    address: str = ""
    tax_number: str = ""
    email: str = ""
    payment: str = ""
    payment_days: int = 0


def name_seller() -> dict[str, Any]:
    """What a new invoice freezes of the settings. Raises TypeError where they name what a seller does not have."""
    return asdict(SellerFact(**settings.BILLING_SELLER, payment_days=settings.BILLING_PAYMENT_DAYS))


def read_seller(frozen: dict[str, Any]) -> SellerFact:
    return SellerFact(**frozen)
