"""Pages that Stripe hosts: where a customer may be sent, and nowhere else."""

from urllib.parse import urlsplit

from django.conf import settings

from billing.stripe.client import is_on
from config.secrets import STRIPE_API

STRIPE_PAGES = ["https://checkout.stripe.com", "https://billing.stripe.com", "https://invoice.stripe.com"]


class ForeignPage(ValueError):
    """An address that is none of Stripe's pages."""


def list_origins() -> list[str]:
    """Where forms of ours may lead: Stripe's pages and our own domains there, or what stands in for them."""
    if not is_on():
        return []
    base = settings.STRIPE_API_BASE
    return [*STRIPE_PAGES, *settings.STRIPE_PAGE_ORIGINS] if base == STRIPE_API else [find_origin(base)]


def find_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def require_page(url: str) -> str:
    """The address, if a customer may be sent there. Raises ForeignPage."""
    if find_origin(url) not in list_origins():
        raise ForeignPage(f"{find_origin(url)} is none of Stripe's pages")
    return url
