"""Who is behind an audience. Metering knows no people: the apps above register who theirs are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from metering.models import Audience, Channel, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where one message goes: an e-mail address, or the name of a webhook endpoint.

    The links are absolute, each empty where there is none. `can_upgrade` as `words.word_alert` wants it. `occasions`
    are those that are told there: all, when empty. Who does not see money hears of usage alone.
    """

    address: str
    language: str = "en"
    page_url: str = ""
    upgrade_url: str = ""
    unsubscribe_url: str = ""
    can_upgrade: bool | None = None
    occasions: frozenset[str] = frozenset()
    sees_money: bool = True
    channel: str = Channel.MAIL.value
    endpoint_id: int | None = None


Finder = Callable[[Collection[int], datetime], Mapping[int, Sequence[Recipient]]]


class AudienceAlreadyRegistered(ValueError):
    """Two functions say who an audience is."""


FINDERS: dict[str, Finder] = {}


def recipients(audience: str) -> Callable[[Finder], Finder]:
    """Register the decorated function: account ids and the moment → the recipients of each account that has any.

    Called in a job's transaction, for up to a hundred accounts at once. Import it in the app's `ready`.
    """

    def register(function: Finder) -> Finder:
        known = FINDERS.get(audience)
        if known and (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
            raise AudienceAlreadyRegistered(f"{audience} is already known by {known.__module__}.{known.__qualname__}")
        FINDERS[audience] = function
        return function

    return register


def find_recipients(audience: str, account_ids: Collection[int], *, at: datetime) -> dict[int, list[Recipient]]:
    """Each account's, one for each address. Nobody where no app has registered the audience."""
    finder = FINDERS.get(audience)
    if finder is None:
        return {}
    found = finder(account_ids, at)
    return {account_id: list({each.address: each for each in some}.values()) for account_id, some in found.items()}


@recipients(Audience.WEBHOOK)
def find_endpoints(account_ids: Collection[int], at: datetime) -> dict[int, list[Recipient]]:
    """Every endpoint that is switched on hears of every account."""
    endpoints = WebhookEndpoint.objects.filter(is_enabled=True).order_by("pk")
    everyone = [state_endpoint(each) for each in endpoints]
    return dict.fromkeys(account_ids, everyone) if everyone else {}


def state_endpoint(endpoint: WebhookEndpoint) -> Recipient:
    return Recipient(
        address=endpoint.name,
        channel=Channel.WEBHOOK.value,
        endpoint_id=endpoint.pk,
        occasions=frozenset(endpoint.occasions),
    )
