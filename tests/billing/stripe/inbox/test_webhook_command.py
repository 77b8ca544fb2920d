"""The endpoints at Stripe: made once, with the types that something is done about, and their secrets told once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.stripe.inbox.handlers import list_types

URL = "https://vendor.example/stripe/webhook/"


def run(url=URL):
    out = StringIO()
    call_command("stripe_webhook", url, stdout=out)
    return out.getvalue().splitlines()


def test_both_are_made_once_and_their_secrets_told_once(simulator):
    first, second = run(), run()
    stripe = simulator.client()
    [made] = [each for each in stripe.v1.webhook_endpoints.list().data if each.url == URL]
    thin = [kind for kind in list_types() if kind.startswith(("v1.", "v2."))]
    assert sorted(made.enabled_events) == sorted(set(list_types()) - set(thin))
    destinations = stripe.v2.core.event_destinations.list({"include": ["webhook_endpoint.url"]}).data
    [destination] = [each for each in destinations if each.webhook_endpoint and each.webhook_endpoint.url == URL]
    assert (sorted(destination.enabled_events), destination.event_payload) == (thin, "thin")
    assert ["whsec_" in line for line in first] == [True, True]
    assert ["whsec_" in line for line in second] == [False, False]


def test_an_address_that_is_not_our_door_is_refused(simulator):
    with pytest.raises(CommandError, match="ends with /stripe/webhook/"):
        run("https://vendor.example/")
