"""Accounts for the clients of a log."""

import re
from collections.abc import Iterable
from datetime import datetime

from metering.accounts import create_accounts
from metering.models import Alias, Event, validate_account_key

KNOWN_MAX = 50_000
PAGE = 1_000


class ClientAccounts:
    """Makes each client an account when it first appears; `created` counts them. Remembers a bounded number."""

    def __init__(self, *, at: datetime) -> None:
        self.at = at
        self.created = 0
        self.known: set[str] = set()

    def create_missing(self, clients: Iterable[str]) -> None:
        """In a transaction of its own, so that names are locked for a moment only. A second call changes nothing."""
        new = set(clients) - self.known
        if len(self.known) > KNOWN_MAX:
            self.known.clear()
        self.known |= new
        new -= set(Alias.objects.filter(name__in=new).values_list("name", flat=True))
        if new:
            create_accounts([(client, client) for client in sorted(new)], at=self.at)
            self.created += len(new)

    def create_waiting(self, source: str) -> None:
        """Accounts for what earlier runs stored without one; that counts it."""
        last = ""
        while True:
            waiting = Event.objects.filter(account=None, source=source, subject__gt=last)
            subjects = list(waiting.order_by("subject").values_list("subject", flat=True).distinct()[:PAGE])
            if not subjects:
                return
            self.create_missing(subject for subject in subjects if is_account_key(subject))
            last = subjects[-1]


def is_account_key(name: str) -> bool:
    return re.fullmatch(validate_account_key.regex, name) is not None
