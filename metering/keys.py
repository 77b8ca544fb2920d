"""API keys: a prefix to find one by, and the SHA-256 of the whole. The key itself is shown once, when it is issued.

A key has 256 bits of chance in it, so a plain hash is enough: there is nothing to guess from.
"""

import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString

from django.conf import settings
from django.db import transaction

from metering.buckets import POURED, Debts, seconds_until
from metering.models import Account, ApiKey
from metering.statements import plain_array, run_statement, text_array

SCOPES = ("events:write", "events:read", "events:correct", "usage:read", "limits:read", "reservations:write")

KEY = re.compile(r"palier_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
NO_DIGEST = bytes(32)

COLUMNS: LiteralString = """
    k.prefix, k.id, k.name, k.digest, k.previous_digest, k.previous_expires_at, k.scopes, k.expires_at, k.revoked_at,
    k.account_id,
    CASE WHEN k.account_id IS NOT NULL THEN ARRAY(SELECT a.name FROM metering_alias a WHERE a.account_id = k.account_id)
    END
"""

FIND: LiteralString = f"""
    SELECT {COLUMNS}, NULL::integer, NULL::numeric, 0 FROM metering_apikey k WHERE k.prefix = ANY(%s::text[])
"""  # noqa: S608 (constants alone)

# The same, and a token for each request of a key that has a rate. Who does not have the secret takes none.
FIND_AND_TAKE: LiteralString = f"""
    WITH found AS (
        SELECT k.*, coalesce(k.rate_per_second, nullif(%s::integer, 0)) AS rate FROM metering_apikey k
        WHERE k.prefix = ANY(%s::text[])
    ), asked AS (
        SELECT 'key ' || id AS name, rate, rate * %s::numeric AS capacity, sum(wanted) AS wanted, max(debt) AS debt,
            %s::timestamptz AS at
        FROM found JOIN unnest(%s::text[], %s::text[], %s::integer[], %s::integer[])
            AS s (prefix, digest, wanted, debt) USING (prefix)
        WHERE rate IS NOT NULL AND decode(s.digest, 'hex') IN (found.digest, found.previous_digest)
        GROUP BY id, rate
    ), {POURED}
    SELECT {COLUMNS}, CASE WHEN p.name IS NOT NULL THEN k.rate END, p.level, p.granted
    FROM found k LEFT JOIN poured p ON p.name = 'key ' || k.id
"""  # noqa: S608 (constants alone)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. `secret` is what the integrator sends; it can be read nowhere else and never again."""

    id: int
    secret: str
    prefix: str


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Who sends a request. An account's own key has its id and the names it goes by; the vendor's has neither."""

    id: int
    name: str
    scopes: tuple[str, ...]
    account_id: int | None = None
    subjects: frozenset[str] | None = None
    prefix: str = ""
    is_rated: bool = False


class UnknownKey(LookupError):
    """No key has this prefix."""


class InvalidKey(PermissionError):
    """There is no key, it is not ours, or it has expired or been revoked."""


class MissingScope(PermissionError):
    """The key is good, but not for this."""


class RateExceeded(PermissionError):
    """The key is good, but asks faster than it may. `seconds` until it may again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"This API key sends faster than it may. Wait for {seconds} s.")
        self.seconds = seconds


class InvalidKeyTerms(ValueError):
    """No such key can be: no name, an unknown scope or account or none, a time in the past, no rate."""


def issue_key(
    *,
    name: str,
    scopes: Sequence[str],
    at: datetime,
    expires_at: datetime | None = None,
    account_id: int | None = None,
    rate_per_second: int | None = None,
) -> IssuedKey:
    """Make a key. Each call makes another. Raises InvalidKeyTerms."""
    require_terms(name=name, scopes=scopes, at=at, expires_at=expires_at)
    if rate_per_second is not None and not 0 < rate_per_second <= 1_000_000:
        raise InvalidKeyTerms("A rate is 1 to 1,000,000 events a second.")
    if account_id is not None and not Account.objects.filter(pk=account_id).exists():
        raise InvalidKeyTerms("There is no such account.")
    prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(12))
    secret = make_secret(prefix)
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        digest=digest_of(secret),
        scopes=sorted(set(scopes)),
        created_at=at,
        expires_at=expires_at,
        account_id=account_id,
        rate_per_second=rate_per_second,
    )
    return IssuedKey(id=key.pk, secret=secret, prefix=prefix)


def find_key_id(prefix: str) -> int:
    """Raises UnknownKey."""
    key_id = ApiKey.objects.filter(prefix=prefix).values_list("pk", flat=True).first()
    if key_id is None:
        raise UnknownKey(f"No key has the prefix {prefix!r}.")
    return int(key_id)


def make_secret(prefix: str) -> str:
    return f"palier_{prefix}_{secrets.token_urlsafe(32)}"


def require_terms(*, name: str, scopes: Sequence[str], at: datetime, expires_at: datetime | None) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidKeyTerms(f"Unknown scope {', '.join(unknown) or '(none given)'}; there is {', '.join(SCOPES)}.")
    if not 0 < len(name) <= 120 or "\0" in name:
        raise InvalidKeyTerms("A key needs a name of 1 to 120 characters.")
    if expires_at is not None and expires_at <= at:
        raise InvalidKeyTerms("A key cannot have expired before it is issued.")


@transaction.atomic
def rotate_key(key_id: int, *, at: datetime, old_until: datetime) -> IssuedKey:
    """Give the key a new secret, which is shown once; the one it has stays good until `old_until`.

    Each call makes another: two are good at a time, never three. Raises InvalidKeyTerms when it opens nothing any more.
    """
    key = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= at):
        raise InvalidKeyTerms("Only a key that is good can get a new secret.")
    if old_until < at:
        raise InvalidKeyTerms("The old secret cannot have ended before the new one is made.")
    secret = make_secret(key.prefix)
    key.previous_digest, key.previous_expires_at, key.digest = key.digest, old_until, digest_of(secret)
    key.save(update_fields=["previous_digest", "previous_expires_at", "digest"])
    return IssuedKey(id=key.pk, secret=secret, prefix=key.prefix)


def revoke_key(key_id: int, *, at: datetime) -> None:
    """From now on the key opens nothing. A second call keeps the first time; an unknown id is quiet."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=at)


def authenticate(header: str | None, *, scope: str, at: datetime, is_rated: bool = False) -> KeyRef:
    """Who sends `Authorization: Bearer …`. Raises InvalidKey, MissingScope or RateExceeded. One query at most.

    What is wrong with a key is told only to who has the whole of it. `is_rated` holds the key to its rate: the request
    takes one token; what more it costs is told by `charge_key`.
    """
    [found] = authenticate_all([header], scope=scope, at=at, is_rated=is_rated)
    if isinstance(found, PermissionError):
        raise found
    return found


KeyRefusal = InvalidKey | MissingScope | RateExceeded
Verdict = KeyRef | KeyRefusal


def authenticate_all(
    headers: Sequence[str | None], *, scope: str, at: datetime, is_rated: bool = False
) -> list[Verdict]:
    """The same for several requests, in their order: who sends it, or why it is refused. One query at most, for all."""
    secrets_sent = [read_header(header) for header in headers]
    shown = Counter(secret for secret in secrets_sent if KEY.fullmatch(secret))
    found = find_keys(shown, at=at, is_rated=is_rated) if shown else {}
    tokens = {prefix: key.granted for prefix, key in found.items()}
    verdicts: list[Verdict] = []
    for secret in secrets_sent:
        try:
            verdicts.append(judge(secret, found, tokens, scope=scope, at=at))
        except (InvalidKey, MissingScope, RateExceeded) as refusal:
            verdicts.append(refusal)
    return verdicts


def charge_key(key: KeyRef, tokens: int) -> None:
    """Let a key that was held to its rate pay for so many events, the first of which its request has paid."""
    if key.is_rated:
        debts.add(key.prefix, tokens - 1)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is stored of a key, and, if it is held to a rate, what its bucket had for the requests that came."""

    prefix: str
    id: int
    name: str
    digest: bytes
    previous_digest: bytes | None
    previous_expires_at: datetime | None
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    account_id: int | None
    subjects: list[str] | None
    rate: int | None
    level: Decimal | None
    granted: int

    def has_secret(self, secret: str, *, at: datetime) -> bool:
        digest = digest_of(secret)
        is_current = hmac.compare_digest(self.digest, digest)
        is_previous = hmac.compare_digest(self.previous_digest or NO_DIGEST, digest)
        return is_current or (is_previous and self.previous_expires_at is not None and at < self.previous_expires_at)


def read_header(header: str | None) -> str:
    """The secret that is sent, as it is sent; empty when there is none."""
    scheme, _, secret = (header or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def judge(secret: str, found: dict[str, StoredKey], tokens: dict[str, int], *, scope: str, at: datetime) -> KeyRef:
    """Takes one of the tokens that the key was granted. Raises InvalidKey, MissingScope or RateExceeded."""
    if not secret:
        raise InvalidKey("Send an API key: Authorization: Bearer palier_…")
    match = KEY.fullmatch(secret)
    key = found.get(match[1]) if match else None
    if key is None or not key.has_secret(secret, at=at):
        raise InvalidKey("This API key is not valid.")
    if key.revoked_at is not None and key.revoked_at <= at:
        raise InvalidKey("This API key was revoked.")
    if key.expires_at is not None and key.expires_at <= at:
        raise InvalidKey("This API key has expired.")
    if scope not in key.scopes:
        raise MissingScope(f"This API key lacks the scope {scope}.")
    if key.rate is not None and key.level is not None:
        if tokens[key.prefix] < 1:
            raise RateExceeded(seconds_until(1, level=key.level, rate=key.rate))
        tokens[key.prefix] -= 1
    return KeyRef(
        id=key.id,
        name=key.name,
        scopes=tuple(key.scopes),
        account_id=key.account_id,
        subjects=None if key.subjects is None else frozenset(key.subjects),
        prefix=key.prefix,
        is_rated=key.rate is not None,
    )


def find_keys(shown: Counter[str], *, at: datetime, is_rated: bool) -> dict[str, StoredKey]:
    """By prefix, for well-formed secrets and how often each was sent. A key that is found need not have that secret."""
    prefixes = [secret[7:19] for secret in shown]
    wanted = text_array(sorted(set(prefixes)))
    if not is_rated:
        rows = run_statement(FIND, [wanted])
    else:
        owed = debts.collect(prefixes)
        rows = run_statement(
            FIND_AND_TAKE,
            [
                settings.EVENT_RATE_PER_SECOND,
                wanted,
                settings.EVENT_BURST_SECONDS,
                at,
                text_array(prefixes),
                text_array([digest_of(secret).hex() for secret in shown]),
                plain_array(list(shown.values())),
                plain_array([owed.get(prefix, 0) for prefix in prefixes]),
            ],
        )
    return {row[0]: StoredKey(*row) for row in rows}


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


debts = Debts()
