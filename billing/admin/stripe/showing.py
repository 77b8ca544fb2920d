"""What the pages about Stripe share: its ids as links to its dashboard, JSON without secrets, and who may act."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.stripe.calls import clean_json
from config.secrets import LIVE_KEYS, STRIPE_API

LONGEST = 32  # characters of an id in a list
DASHBOARD = "https://dashboard.stripe.com"
PLACES = {
    "cus_": "customers",
    "in_": "invoices",
    "sub_": "subscriptions",
    "prod_": "products",
    "price_": "prices",
    "mtr_": "meters",
    "evt_": "events",
    "req_": "logs",
}


def may_repair(request: HttpRequest) -> bool:
    return request.user.has_perm("billing.repair_drift")


def link_to_stripe(stripe_id: str) -> SafeString | str:
    """To Stripe's own page, where it is Stripe that we speak to; else the id alone."""
    place = next((place for prefix, place in PLACES.items() if stripe_id.startswith(prefix)), "")
    if not stripe_id or not place or settings.STRIPE_API_BASE != STRIPE_API:
        return stripe_id or "–"
    mode = "" if settings.STRIPE_SECRET_KEY.startswith(LIVE_KEYS) else "/test"
    url = f"{DASHBOARD}{mode}/{place}/{stripe_id}"
    return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, stripe_id)


def shorten_id(stripe_id: str) -> str:
    """For a list: those of Checkout's pages are longer than its other columns together."""
    return stripe_id if len(stripe_id) <= LONGEST else f"{stripe_id[: LONGEST - 1]}…"


def show_json(value: Any) -> SafeString | str:
    if value is None:
        return "–"
    text = json.dumps(clean_json(value), indent=2, ensure_ascii=False)
    return format_html('<pre class="job-text">{}</pre>', text)


def show_body(text: str) -> SafeString | str:
    """The same of text that came in; as it is where it is none."""
    return show_json(json.loads(text, parse_float=str))
