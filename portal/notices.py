"""Who hears of an account's alerts by e-mail: its members, as each of them wants it."""

from collections.abc import Collection
from datetime import datetime
from functools import cache

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from billing.plans import UnknownPlan, next_plan
from billing.profiles import read_profiles
from billing.subscriptions import read_subscription
from metering.notices.recipients import Recipient, recipients
from portal.access import may_see_money
from portal.models import Membership

SIGNER = Signer(salt="portal.notices.unsubscribe")


class BrokenToken(ValueError):
    """Not a token of ours, or of a membership that there is no more."""


@recipients("members")
def find_members(account_ids: Collection[int], at: datetime) -> dict[int, list[Recipient]]:
    """Of each account those who hear of alerts and may still log in, in the language of its billing profile.

    Three queries, and those that tell what plan comes after an account's.
    """
    found: dict[int, list[Recipient]] = {}
    memberships = Membership.objects.filter(account__in=account_ids, user__is_active=True)
    hearing = [each for each in memberships.select_related("user", "account").order_by("pk") if each.hears_of_alerts]
    languages = read_languages({each.account_id for each in hearing})
    ask = cache(can_upgrade)
    for each in hearing:
        recipient = state_member(each, languages[each.account_id], can_upgrade=ask(each.account_id, at=at))
        found.setdefault(each.account_id, []).append(recipient)
    return found


def state_member(membership: Membership, language: str, *, can_upgrade: bool | None) -> Recipient:
    key = membership.account.key
    return Recipient(
        address=membership.user.email,
        language=language,
        page_url=link("portal:alerts", key),
        upgrade_url=link("portal:plans", key) if may_see_money(membership) else "",
        unsubscribe_url=link("portal:unsubscribe", sign_membership(membership)),
        can_upgrade=can_upgrade,
        sees_money=may_see_money(membership),
    )


def read_languages(account_ids: Collection[int]) -> dict[int, str]:
    profiles = read_profiles(account_ids)
    return {each: profiles[each].language if each in profiles else settings.LANGUAGE_CODE for each in account_ids}


def can_upgrade(account_id: int, *, at: datetime) -> bool | None:
    """Whether a plan on offer ranks above the account's; None without a subscription."""
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None:
        return None
    try:
        return next_plan(subscription.plan_slug, currency=subscription.currency, at=at) is not None
    except UnknownPlan:
        return None


def link(name: str, *arguments: str) -> str:
    """An absolute address, where settings.PUBLIC_URL says where people reach us; else none."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=arguments)}" if settings.PUBLIC_URL else ""


def sign_membership(membership: Membership) -> str:
    """What opens the page that ends these mails, to whoever holds the mail, without logging in."""
    return SIGNER.sign(str(membership.pk))


def find_membership(token: str) -> Membership:
    """Raises BrokenToken."""
    try:
        return Membership.objects.select_related("user", "account").get(pk=SIGNER.unsign(token))
    except (BadSignature, Membership.DoesNotExist, ValueError) as error:
        raise BrokenToken from error


def tell_by_mail(membership: Membership, *, is_on: bool) -> None:
    """Whether this person hears of this account's alerts from now on. A second call changes nothing."""
    Membership.objects.filter(pk=membership.pk).update(alerts_by_mail=is_on)
