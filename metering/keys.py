"""API keys: a prefix to find one by, and the SHA-256 of the whole. The key itself is shown once, when it is issued.

A key has 256 bits of chance in it, so a plain hash is enough: there is nothing to guess from.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from metering.models import ApiKey
from metering.statements import run_statement

SCOPES = ("events:write", "events:correct")

KEY = re.compile(r"palier_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
NO_DIGEST = bytes(32)

FIND_KEY: LiteralString = """
    SELECT id, name, digest, scopes, expires_at, revoked_at FROM metering_apikey WHERE prefix = %s
"""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. `secret` is what the integrator sends; it can be read nowhere else and never again."""

    id: int
    secret: str
    prefix: str


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Who sends a request."""

    id: int
    name: str
    scopes: tuple[str, ...]


class UnknownKey(LookupError):
    """No key has this prefix."""


class InvalidKey(PermissionError):
    """There is no key, it is not ours, or it has expired or been revoked."""


class MissingScope(PermissionError):
    """The key is good, but not for this."""


class InvalidKeyTerms(ValueError):
    """No key can be issued like this: no name, an unknown scope or none, an expiry in the past."""


def issue_key(*, name: str, scopes: Sequence[str], at: datetime, expires_at: datetime | None = None) -> IssuedKey:
    """Make a key. Each call makes another. Raises InvalidKeyTerms."""
    require_terms(name=name, scopes=scopes, at=at, expires_at=expires_at)
    prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(12))
    secret = f"palier_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        digest=digest_of(secret),
        scopes=sorted(set(scopes)),
        created_at=at,
        expires_at=expires_at,
    )
    return IssuedKey(id=key.pk, secret=secret, prefix=prefix)


def find_key_id(prefix: str) -> int:
    """Raises UnknownKey."""
    key_id = ApiKey.objects.filter(prefix=prefix).values_list("pk", flat=True).first()
    if key_id is None:
        raise UnknownKey(f"No key has the prefix {prefix!r}.")
    return int(key_id)


def require_terms(*, name: str, scopes: Sequence[str], at: datetime, expires_at: datetime | None) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidKeyTerms(f"Unknown scope {', '.join(unknown) or '(none given)'}; there is {', '.join(SCOPES)}.")
    if not 0 < len(name) <= 120 or "\0" in name:
        raise InvalidKeyTerms("A key needs a name of 1 to 120 characters.")
    if expires_at is not None and expires_at <= at:
        raise InvalidKeyTerms("A key cannot have expired before it is issued.")


def authenticate(header: str | None, *, scope: str, at: datetime) -> KeyRef:
    """Who sends `Authorization: Bearer …`. Raises InvalidKey or MissingScope. One query at most.

    What is wrong with a key is told only to who has the whole of it.
    """
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise InvalidKey("Send an API key: Authorization: Bearer palier_…")
    key = find_key(secret.strip())
    if key.revoked_at is not None and key.revoked_at <= at:
        raise InvalidKey("This API key was revoked.")
    if key.expires_at is not None and key.expires_at <= at:
        raise InvalidKey("This API key has expired.")
    if scope not in key.scopes:
        raise MissingScope(f"This API key lacks the scope {scope}.")
    return KeyRef(id=key.id, name=key.name, scopes=tuple(key.scopes))


@dataclass(frozen=True, slots=True)
class StoredKey:
    id: int
    name: str
    digest: bytes
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None


def find_key(secret: str) -> StoredKey:
    match = KEY.fullmatch(secret)
    rows = run_statement(FIND_KEY, [match[1]]) if match else []
    key = StoredKey(*rows[0]) if rows else None
    stored = key.digest if key is not None else NO_DIGEST
    if not hmac.compare_digest(stored, digest_of(secret)) or key is None:
        raise InvalidKey("This API key is not valid.")
    return key


def revoke_key(key_id: int, *, at: datetime) -> None:
    """From now on the key opens nothing. A second call keeps the first time; an unknown id is quiet."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=at)


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
