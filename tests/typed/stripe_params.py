"""What the types of Stripe's package must refuse, looked at by mypy with everything else (`make lint`); never run.

The negative control of `billing.stripe`: where mypy no longer complains about one of these lines, its comment is not
needed any more, and mypy complains about that. So does it where the package renames or drops what we send.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeClient
    from stripe.params import InvoiceCreateParams, PriceCreateParams


def send_unknown_parameter(client: "StripeClient") -> None:
    client.v1.products.create({"name": "Gold", "colour": "yellow"})  # type: ignore[typeddict-unknown-key]


def send_what_is_gone(client: "StripeClient") -> None:
    """Basil removed it: usage goes to meters."""
    client.v1.prices.create(
        {"currency": "eur", "recurring": {"interval": "month", "aggregate_usage": "sum"}}  # type: ignore[typeddict-unknown-key]
    )


def leave_out_what_is_needed(client: "StripeClient") -> None:
    client.v1.tax_rates.create({"display_name": "VAT", "inclusive": False})  # type: ignore[typeddict-item]


def send_text_for_a_number() -> "PriceCreateParams":
    return {"currency": "eur", "unit_amount": "900"}  # type: ignore[typeddict-item]


def send_an_unknown_word(client: "StripeClient", options: "RequestOptions") -> None:
    meter = client.v1.billing.meters
    meter.create({"display_name": "Calls", "event_name": "calls", "formula": "sum"}, options)  # type: ignore[typeddict-item]


def send_what_is_right() -> "InvoiceCreateParams":
    return {"customer": "cus_1", "auto_advance": False, "metadata": {"palier_invoice": "1"}}


def send_an_exact_price() -> "PriceCreateParams":
    return {"currency": "eur", "product": "prod_1", "unit_amount_decimal": Decimal("0.000000000001")}
