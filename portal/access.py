"""Who sees which account. Every screen of the portal comes through here, so that nobody sees another's rows."""

from django.http import Http404

from portal.models import Membership, Role, User

MONEY_ROLES = frozenset({Role.OWNER, Role.BILLING})
EVENT_ROLES = frozenset({Role.OWNER, Role.DEVELOPER, Role.VIEWER})
SENDING_ROLES = frozenset({Role.OWNER, Role.DEVELOPER})


def list_memberships(user: User) -> list[Membership]:
    """The accounts this person may see, by name. One query."""
    return list(Membership.objects.filter(user=user).select_related("account").order_by("account__name", "account_id"))


def get_membership_or_404(user: User, account_key: str) -> Membership:
    """This person's place in the account. An account of others answers like one that does not exist: 404. One query."""
    try:
        return Membership.objects.select_related("account").get(user=user, account__key=account_key)
    except Membership.DoesNotExist:
        raise Http404 from None


def may_see_money(membership: Membership) -> bool:
    """Costs and invoices are for owners and billing; every role sees usage."""
    return membership.role in MONEY_ROLES


def may_change_plan(membership: Membership) -> bool:
    """Who owns the account decides what it costs."""
    return membership.role == Role.OWNER


def may_see_events(membership: Membership) -> bool:
    """The log of events says who did what: for those who work with it, not for billing."""
    return membership.role in EVENT_ROLES


def may_see_sending(membership: Membership) -> bool:
    """What the account's API keys sent, and the bodies that were refused, are for owners and developers."""
    return membership.role in SENDING_ROLES
