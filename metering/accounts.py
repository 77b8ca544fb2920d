"""Accounts and the names that events may call them by."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from metering.adoption import adopt_events
from metering.locks import hold_names_for_change
from metering.models import Account, Alias, validate_account_key


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account as other apps see it."""

    id: int
    key: str
    name: str


class UnknownAccount(LookupError):
    """No account has this key or alias."""


class AccountExists(ValueError):
    """The key or alias already names an account."""


class InvalidAccountKey(ValueError):
    """A key or alias holds what none may hold."""


@transaction.atomic
def create_account(*, key: str, name: str = "", aliases: Sequence[str] = (), at: datetime) -> AccountRef:
    """Make an account and count the events that waited for its key or aliases.

    Raises InvalidAccountKey, AccountExists; then nothing changed.
    """
    names = list(dict.fromkeys([key, *aliases]))
    require_valid_names(names)
    hold_names_for_change()
    require_free_names(names)
    account = Account.objects.create(key=key, name=name, created_at=at)
    Alias.objects.bulk_create(Alias(name=each, account=account, named_at=at) for each in names)
    adopt_events(names, at=at)
    return state_account(account)


@transaction.atomic
def create_accounts(accounts: Iterable[tuple[str, str]], *, at: datetime) -> dict[str, int]:
    """Make an account for each (key, name) whose key names none yet; returns key → account id for all of them.

    A fixed number of statements per thousand accounts. Calling it twice changes nothing. Raises InvalidAccountKey.
    """
    wanted = dict(accounts)
    require_valid_names(wanted)
    hold_names_for_change()
    known = read_names(wanted)
    new = [Account(key=key, name=name, created_at=at) for key, name in wanted.items() if key not in known]
    Account.objects.bulk_create(new, batch_size=1_000)
    Alias.objects.bulk_create((Alias(name=each.key, account=each, named_at=at) for each in new), batch_size=1_000)
    if new:
        adopt_events([each.key for each in new], at=at)
    made = {each.key: each.pk for each in new}
    return {key: known.get(key) or made[key] for key in wanted}


@transaction.atomic
def add_alias(*, account_id: int, name: str, at: datetime) -> None:
    """Give an account one more name and count the events that waited for it. A name it has already is left alone.

    Raises InvalidAccountKey, AccountExists when the name is another account's, UnknownAccount.
    """
    require_valid_names([name])
    hold_names_for_change()
    if not Account.objects.filter(pk=account_id).exists():
        raise UnknownAccount(f"No account has the id {account_id}.")
    if read_names([name]).get(name) == account_id:
        return
    require_free_names([name])
    Alias.objects.create(name=name, account_id=account_id, named_at=at)
    adopt_events([name], at=at)


def find_account(key: str) -> AccountRef:
    """By key or alias. Raises UnknownAccount."""
    account = Account.objects.filter(aliases__name=key).first() if "\0" not in key else None
    if account is None:
        raise UnknownAccount(f"No account is called {key!r}.")
    return state_account(account)


def find_accounts(names: Collection[str]) -> dict[str, AccountRef]:
    """name → account, by key or alias, for the names that are known, in their order; in one query."""
    asked = [name for name in names if "\0" not in name]
    aliases = {alias.name: alias for alias in Alias.objects.filter(name__in=asked).select_related("account")}
    return {name: state_account(aliases[name].account) for name in names if name in aliases}


def list_accounts(*, limit: int) -> list[AccountRef]:
    """The first so many, by key, in one query."""
    return [state_account(account) for account in Account.objects.order_by("key")[:limit]]


def read_accounts(ids: Iterable[int]) -> dict[int, AccountRef]:
    """Those of the accounts that exist, by id, in one query."""
    return {pk: state_account(account) for pk, account in Account.objects.in_bulk(list(ids)).items()}


def read_names(names: Iterable[str]) -> dict[str, int]:
    """name → account id, for the names that are known."""
    return dict(Alias.objects.filter(name__in=list(names)).values_list("name", "account_id"))


def require_valid_names(names: Iterable[str]) -> None:
    for name in names:
        try:
            validate_account_key(name)
        except ValidationError as error:
            raise InvalidAccountKey(f"{name!r} cannot name an account. {error.message}") from error


def require_free_names(names: Iterable[str]) -> None:
    taken = sorted(read_names(names))
    if taken:
        raise AccountExists(f"{', '.join(taken)} already names an account.")


def state_account(account: Account) -> AccountRef:
    return AccountRef(id=account.pk, key=account.key, name=account.name)
