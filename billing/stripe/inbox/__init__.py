"""What Stripe tells: kept as it came, acknowledged, then handled."""

from billing.stripe.inbox.handlers import NotOurs as NotOurs
from billing.stripe.inbox.handlers import NotYet as NotYet
from billing.stripe.inbox.handlers import handles as handles
