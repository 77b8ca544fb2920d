"""Whose rows a key may see: those of its own account, or every account's when it is the vendor's."""

from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from metering.accounts import AccountRef, UnknownAccount, find_account
from metering.keys import KeyRef


class IsKeyed(BasePermission):
    """No view answers without a key, not even one that forgot to name its scopes."""

    def has_permission(self, request: Request, view: object) -> bool:
        return isinstance(request.auth, KeyRef)


def may_see(key: KeyRef, account_id: int) -> bool:
    """Its own account; any, when it is the vendor's."""
    return key.account_id in (None, account_id)


def find_visible_account(key: KeyRef, account_key: str) -> AccountRef:
    """By key or alias. 404 when there is none or it is not the key's: whoever may not see it cannot tell which."""
    try:
        account = find_account(account_key)
    except UnknownAccount:
        raise refuse_account() from None
    require_visible(key, account)
    return account


def require_visible(key: KeyRef, account: AccountRef) -> None:
    if not may_see(key, account.id):
        raise refuse_account()


def refuse_account() -> NotFound:
    return NotFound("This key sees no account of that name.", "unknown_account")
