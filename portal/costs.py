"""What the running period costs so far, as far as it can be said."""

from dataclasses import dataclass
from datetime import datetime

from billing.previews import InvoicePreview, NotSubscribed, preview_period
from billing.rating import AmountTooLarge, InvalidQuantity


@dataclass(frozen=True, slots=True)
class Cost:
    """`preview` is None when the usage is beyond what a bill can hold: a person has to look at it."""

    preview: InvoicePreview | None


def read_cost(*, account_id: int, at: datetime) -> Cost | None:
    """The live cost by the invoice's own rating; None without a subscription."""
    try:
        return Cost(preview=preview_period(account_id=account_id, at=at))
    except NotSubscribed:
        return None
    except (AmountTooLarge, InvalidQuantity):
        return Cost(preview=None)
