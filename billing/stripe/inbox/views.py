"""Where Stripe tells what happened: checked, stored, acknowledged. Handling it is a job's."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.models import StripeEventOrigin
from billing.stripe.client import get_client, is_on
from billing.stripe.inbox.envelopes import BadBody, BadSignature, open_envelope
from billing.stripe.inbox.storing import store_event

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def receive_event(request: HttpRequest) -> HttpResponse:
    """200 once the event is committed, or was before; 400 without detail for what is not Stripe's, 413 and 404.

    Whoever calls is told nothing; the log says why.
    """
    if not (is_on() and settings.STRIPE_WEBHOOK_SECRETS):
        return HttpResponse(status=404)
    limit = settings.STRIPE_WEBHOOK_BODY_MAX_BYTES
    if len(body := request.read(limit + 1)) > limit:
        return HttpResponse(status=413)
    at = timezone.now()
    try:
        envelope = open_envelope(
            body,
            request.headers.get("Stripe-Signature", ""),
            client=get_client(),
            secrets=settings.STRIPE_WEBHOOK_SECRETS,
            tolerance=settings.STRIPE_WEBHOOK_TOLERANCE,
            at=at,
        )
    except (BadSignature, BadBody) as refusal:
        logger.warning("A webhook was refused: %s", refusal)
        return HttpResponse(status=400)
    store_event(envelope, origin=StripeEventOrigin.WEBHOOK, at=at)
    return HttpResponse(status=200)
