import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing.stripe.client import StripeIsOff, get_client, is_on


def test_without_a_key_stripe_is_off(settings):
    settings.STRIPE_SECRET_KEY = ""

    assert not is_on()
    with pytest.raises(StripeIsOff, match="STRIPE_SECRET_KEY is not set"):
        get_client()


def test_the_client_is_built_once_with_its_own_version_two_retries_and_a_short_wait(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = "http://127.0.0.1:9"

    client = get_client()

    options = client._requestor._options
    assert options.base_addresses["api"] == options.base_addresses["meter_events"] == "http://127.0.0.1:9"
    assert (options.max_network_retries, options.stripe_version) == (2, "2026-10-28.endive")
    assert client._requestor._client._timeout == 20
    assert get_client() is client


def test_a_live_key_with_another_address_builds_no_client_and_is_not_shown(settings):
    settings.STRIPE_SECRET_KEY = "sk_live_secret"
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    with pytest.raises(ImproperlyConfigured, match="STRIPE_API_BASE is not Stripe's") as refusal:
        get_client()
    assert "sk_live_secret" not in str(refusal.value)


def test_in_debug_mode_stripe_itself_is_not_called(settings):
    settings.STRIPE_SECRET_KEY, settings.DEBUG = "sk_test_1", True

    with pytest.raises(ImproperlyConfigured, match="STRIPE_API_BASE is Stripe's"):
        get_client()


def test_the_gateway_does_not_load_stripe_until_it_calls():
    script = "import django, sys; django.setup(); import billing.stripe.gateway; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
