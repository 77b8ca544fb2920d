"""The vendor's systems that hear of alerts, and their secrets: each shown once, by whoever makes it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from jobs.webhooks import check_url, make_secret
from metering.models import WebhookEndpoint


@dataclass(frozen=True, slots=True)
class MadeEndpoint:
    id: int
    secret: str


def create_endpoint(
    *, name: str, url: str, occasions: Collection[str] = (), is_enabled: bool = True, at: datetime
) -> MadeEndpoint:
    """An endpoint with a new secret. Raises jobs.webhooks.UnsafeAddress where nothing may be sent."""
    check_url(url)
    endpoint = WebhookEndpoint.objects.create(
        name=name, url=url, occasions=list(occasions), is_enabled=is_enabled, secret=make_secret(), created_at=at
    )
    return MadeEndpoint(endpoint.pk, endpoint.secret)


@transaction.atomic
def rotate_secret(endpoint_id: int, *, old_until: datetime, at: datetime) -> MadeEndpoint:
    """A new secret. Until `old_until` requests are signed by the one before as well; by that before it no more."""
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
    endpoint.previous_secret, endpoint.previous_until = "", None
    if old_until > at:
        endpoint.previous_secret, endpoint.previous_until = endpoint.secret, old_until
    endpoint.secret = make_secret()
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    return MadeEndpoint(endpoint.pk, endpoint.secret)
