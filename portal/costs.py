"""What the running period costs so far and will cost at its close, as far as it can be said."""

from dataclasses import dataclass
from datetime import datetime

from billing.lines import TOO_MUCH
from billing.previews import InvoicePreview, NotSubscribed, preview_close


@dataclass(frozen=True, slots=True)
class Cost:
    """`preview` is None when the usage is beyond what a bill can hold: a person has to look at it.

    `at_close` is the same at the end of the period by the pace so far, and None for the same reason.
    """

    preview: InvoicePreview | None
    at_close: InvoicePreview | None = None


def read_cost(*, account_id: int, at: datetime) -> Cost | None:
    """The live cost by the invoice's own rating; None without a subscription."""
    try:
        bill = preview_close(account_id=account_id, at=at)
    except NotSubscribed:
        return None
    except TOO_MUCH:
        return Cost(preview=None)
    return Cost(preview=bill.so_far, at_close=bill.at_close)
