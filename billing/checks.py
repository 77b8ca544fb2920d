"""What of billing's settings a start would trip over later, told by `manage.py check`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from billing.sellers import SellerFact, name_seller, read_seller


@register(Tags.compatibility)
def check_seller(**_options: Any) -> list[CheckMessage]:
    """The seller has a name, and no part that documents do not know; what is to be paid is so on a day to come."""
    try:
        seller = read_seller(name_seller())
    except TypeError as error:
        return [Error(f"BILLING_SELLER is no seller: {error}", hint=list_parts(), id="billing.E001")]
    errors: list[CheckMessage] = []
    if not seller.name or not all(isinstance(value, str) for value in settings.BILLING_SELLER.values()):
        errors.append(Error("BILLING_SELLER has a name, and texts alone.", hint=list_parts(), id="billing.E001"))
    if seller.payment_days < 0:
        errors.append(Error("BILLING_PAYMENT_DAYS is not below zero.", id="billing.E002"))
    return errors


@register(Tags.compatibility, deploy=True)
def check_seller_is_ours(**_options: Any) -> list[CheckMessage]:
    if settings.BILLING_SELLER != settings.DEMO_SELLER:
        return []
    return [
        Warning(
            "Invoices name the vendor of the demo, and keep that name for good.",
            hint="Set BILLING_SELLER before the first invoice: see docs/operations.md.",
            id="billing.W001",
        )
    ]


def list_parts() -> str:
    names = [name for name in SellerFact.__dataclass_fields__ if name != "payment_days"]
    return f"JSON with {', '.join(names)}."
