"""How often Stripe may be read: so many GETs per charge, and never fewer than a minimum, over 30 days."""

from datetime import datetime

from django.conf import settings

from billing.stripe.gateway import count_reads


def count_reads_left(at: datetime) -> int:
    """Of `settings.STRIPE_READS_MAX` in 30 days."""
    allowed: int = settings.STRIPE_READS_MAX
    return max(0, allowed - count_reads(at))


def has_reads_left(at: datetime) -> bool:
    return count_reads_left(at) > 0
