import pytest

from billing.stripe.inbox import handlers

SECRET, OLD_SECRET = "whsec_new", "whsec_old"


@pytest.fixture(autouse=True)
def stripe_settings(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_inbox"
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, OLD_SECRET]


@pytest.fixture
def handled(monkeypatch):
    """Nobody's handlers but one for `test.done`, which keeps what it is called with."""
    calls = []
    handlers.import_hooks()  # once and for all, before what is theirs is put aside
    monkeypatch.setattr(handlers, "HANDLERS", {"test.done": lambda event, at: calls.append(event.stripe_id)})
    return calls
