"""The one place that builds Stripe's official client.

`stripe` is imported at the first call, not with this module: it takes megabytes that most processes never use. The API
version is the package's own.
"""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from config.secrets import refuse_unsafe_stripe

if TYPE_CHECKING:
    from stripe import StripeClient

NETWORK_RETRIES = 2  # by the client itself, with the same idempotency key; half a second to five between them


class StripeIsOff(RuntimeError):
    """There is no secret key: nothing may be asked of Stripe."""


def is_on() -> bool:
    return bool(settings.STRIPE_SECRET_KEY)


def get_client() -> "StripeClient":
    """The client of these settings. Raises StripeIsOff; ImproperlyConfigured where addresses do not suit the key."""
    if not is_on():
        raise StripeIsOff("STRIPE_SECRET_KEY is not set")
    refuse_unsafe_stripe(
        settings.STRIPE_SECRET_KEY,
        api_base=settings.STRIPE_API_BASE,
        meter_events_base=settings.STRIPE_METER_EVENTS_BASE,
        is_debug=settings.DEBUG,
    )
    return build_client(
        settings.STRIPE_SECRET_KEY,
        settings.STRIPE_API_BASE,
        settings.STRIPE_METER_EVENTS_BASE,
        settings.STRIPE_TIMEOUT,
    )


@cache
def build_client(key: str, api_base: str, meter_events_base: str, timeout: int) -> "StripeClient":
    import stripe

    return stripe.StripeClient(
        key,
        base_addresses={"api": api_base, "meter_events": meter_events_base},
        max_network_retries=NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=timeout),
    )
