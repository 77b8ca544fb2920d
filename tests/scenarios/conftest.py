import pytest

from billing.stripe.inbox import handlers
from tests.scenarios.webhooks import KIND, OLD_SECRET, SECRET
from tests.scenarios.worlds import world  # noqa: F401 - a fixture


@pytest.fixture
def webhook_secrets(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_scenario"
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, OLD_SECRET]


@pytest.fixture
def handled(monkeypatch, webhook_secrets):
    """What the one handler was called with."""
    calls = []
    handlers.import_hooks()  # once and for all, before what is theirs is put aside
    monkeypatch.setattr(handlers, "HANDLERS", {KIND: lambda event, at: calls.append(event.stripe_id)})
    return calls
