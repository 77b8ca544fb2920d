"""Names for the subjects of a file, and accounts for them."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from metering.accounts import create_accounts
from metering.models import Alias, validate_account_key

KNOWN_MAX = 50_000
KEY_MAX = 120
DIGEST_DIGITS = 12


class SubjectAccounts:
    """Makes each subject an account when it first appears; `created` counts them. Remembers a bounded number."""

    def __init__(self, *, at: datetime) -> None:
        self.at = at
        self.created = 0
        self.known: set[str] = set()

    def create_missing(self, subjects: Iterable[str]) -> None:
        """In a transaction of its own, so that names are locked for a moment only. A second call changes nothing.

        A subject that cannot name an account gets none; its events wait.
        """
        new = {subject for subject in subjects if subject not in self.known and is_account_key(subject)}
        if len(self.known) > KNOWN_MAX:
            self.known.clear()
        self.known |= new
        new -= set(Alias.objects.filter(name__in=new).values_list("name", flat=True))
        if new:
            create_accounts([(subject, subject) for subject in sorted(new)], at=self.at)
            self.created += len(new)


def is_account_key(name: str) -> bool:
    return re.fullmatch(validate_account_key.regex, name) is not None


@lru_cache(maxsize=10_000)
def clean_subject(text: str) -> str:
    """An account key for any text: itself where it can be one, else what is left of it and a digest of the whole.

    `/subscriptions/8d2f` → `subscriptions-8d2f-` and twelve hexadecimal digits. Without them `a/b` and `a b` would be
    one account.
    """
    if is_account_key(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]
    kept = re.sub(r"[^A-Za-z0-9._:@-]+", "-", text).strip("-._:@")[: KEY_MAX - DIGEST_DIGITS - 1]
    return f"{kept}-{digest}" if kept else digest
