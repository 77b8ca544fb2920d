"""Which plans a customer of a free plan may move to by themselves, and what that costs."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing.models import PlanVersion, Subscription
from billing.parts import MoveRefused
from billing.plans import PlanTerms, UnknownPlan, find_offer, list_plans, read_version
from billing.stripe.client import is_on
from billing.stripe.customers import CustomerFact, read_customer
from billing.stripe.mirroring.planning import RUNNING, charges_nothing
from billing.subscriptions import MeterTaken, SubscriptionFact, read_subscription
from billing.switching import MovePreview, preview_change

NOT_BY_YOURSELF = gettext_noop("You cannot move to this plan by yourself; talk to your vendor.")


class UpgradeRefused(ValueError):
    """The account cannot move to that plan by itself; the message says why, to the customer."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A plan to move to now. `preview` is what changes of fees at once; all are asked when the period ends."""

    subscription: SubscriptionFact
    terms: PlanTerms
    preview: MovePreview
    customer: CustomerFact | None

    @property
    def needs_card(self) -> bool:
        return self.customer is None or self.customer.card is None


def list_upgrades(account_id: int, *, at: datetime) -> list[str]:
    """The slugs of plans that the account may move to by itself, smallest rank first; none without Stripe."""
    subscription = find_free(account_id, at=at)
    if subscription is None:
        return []
    rank = read_version(subscription.version_id).rank
    offers = list_plans(currency=subscription.currency, at=at)
    return [each.slug for each in offers if each.rank > rank and not asks_nothing(each.version_id)]


def find_upgrade(account_id: int, plan_slug: str, *, at: datetime) -> Upgrade:
    """What moving there now means. Raises UpgradeRefused."""
    subscription = find_free(account_id, at=at)
    if subscription is None or plan_slug not in list_upgrades(account_id, at=at):
        raise UpgradeRefused(_(NOT_BY_YOURSELF))
    try:
        version = find_offer(plan_slug, currency=subscription.currency, at=at)
        preview = preview_change(subscription.id, plan_slug, at=at)
    except UnknownPlan as error:
        raise UpgradeRefused(_(NOT_BY_YOURSELF)) from error
    except (MoveRefused, MeterTaken) as error:
        raise UpgradeRefused(str(error)) from error
    return Upgrade(subscription, read_version(version.pk), preview, read_customer(account_id))


def find_free(account_id: int, *, at: datetime) -> SubscriptionFact | None:
    """The main subscription, where it runs, asks nothing, and Stripe may be told about the account."""
    if not is_on():
        return None
    customer = read_customer(account_id)
    if customer is not None and customer.problem:
        return None
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None or subscription.state not in RUNNING or not asks_nothing(subscription.version_id):
        return None
    ends = Subscription.objects.filter(pk=subscription.id, cancels_at__isnull=False)
    return None if ends.exists() else subscription


def asks_nothing(version_id: int) -> bool:
    return charges_nothing(PlanVersion.objects.get(pk=version_id))
