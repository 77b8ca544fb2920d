"""The secrets that come from outside: which are missing, and the one that development makes for itself."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SHORTEST_KEY = 50
STRIPE_PAIR = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
STRIPE_API, STRIPE_METERS = "https://api.stripe.com", "https://meter-events.stripe.com"
LIVE_KEYS = ("sk_live", "rk_live")
REQUIRED = {
    "SECRET_KEY": f"at least {SHORTEST_KEY} random characters",
    "DATABASE_URL": "postgres://user:password@host/name",
    "REDIS_URL": "redis://host:6379/0",
    "ALLOWED_HOSTS": "the host names people use, with commas between",
}
SCHEMES = {"DATABASE_URL": ("postgres://", "postgresql://"), "REDIS_URL": ("redis://", "rediss://", "unix://")}


def require_production(environ: Mapping[str, str]) -> None:
    """Raise ImproperlyConfigured with one line for each variable that is missing or unusable, never its value."""
    problems = [
        f"{name} is missing ({what})" for name, what in REQUIRED.items() if not environ.get(name, "").strip(" ,")
    ]
    if 0 < len(environ.get("SECRET_KEY", "").strip()) < SHORTEST_KEY:
        problems.append(f"SECRET_KEY is too short ({REQUIRED['SECRET_KEY']})")
    for name, schemes in SCHEMES.items():
        if environ.get(name) and not environ[name].startswith(schemes):
            problems.append(f"{name} does not start with {' or '.join(schemes)}")
    problems += find_lone_stripe_secret(environ)
    if problems:
        raise ImproperlyConfigured("Production cannot start:\n" + "\n".join(f"  {line}" for line in problems))


def find_lone_stripe_secret(environ: Mapping[str, str]) -> list[str]:
    missing = [name for name in STRIPE_PAIR if not environ.get(name)]
    if len(missing) != 1:
        return []
    [lone] = set(STRIPE_PAIR) - set(missing)
    return [f"{missing[0]} is missing ({lone} is set: Stripe needs both)"]


def read_stripe_secrets(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Secret key and webhook secrets, both empty when Stripe is not used. Raises ImproperlyConfigured for one alone.

    Several secrets, with commas between, are all believed: of each endpoint, and the previous one while one is changed.
    """
    problems = find_lone_stripe_secret(environ)
    if problems:
        raise ImproperlyConfigured(problems[0])
    key, webhook_secrets = (environ.get(name, "") for name in STRIPE_PAIR)
    return key, [secret.strip() for secret in webhook_secrets.split(",") if secret.strip()]


def find_stripe_problems(key: str, *, api_base: str, meter_events_base: str, is_debug: bool) -> list[str]:
    """Why Stripe must not be called like this, one line each, never a value; none without a key.

    A live key goes to Stripe's own addresses alone, and nothing that runs in debug mode talks to Stripe itself.
    """
    if not key:
        return []
    problems = []
    is_ours = {
        "STRIPE_API_BASE": api_base != STRIPE_API,
        "STRIPE_METER_EVENTS_BASE": meter_events_base != STRIPE_METERS,
    }
    if key.startswith(LIVE_KEYS):
        problems += [f"{name} is not Stripe's (STRIPE_SECRET_KEY is live)" for name, other in is_ours.items() if other]
    if is_debug:
        problems += [
            f"{name} is Stripe's (DEBUG is on: name a simulator)" for name, other in is_ours.items() if not other
        ]
    return problems


def refuse_unsafe_stripe(key: str, *, api_base: str, meter_events_base: str, is_debug: bool) -> None:
    """Raise ImproperlyConfigured where Stripe must not be called like this."""
    problems = find_stripe_problems(key, api_base=api_base, meter_events_base=meter_events_base, is_debug=is_debug)
    if problems:
        raise ImproperlyConfigured("Stripe is not called:\n" + "\n".join(f"  {line}" for line in problems))


def read_or_make_key(path: Path) -> str:
    """The key kept in `path`, made at the first call. Callers at the same time get the same key."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(secrets.token_urlsafe(SHORTEST_KEY) + "\n")
    try:
        os.link(draft, path)  # fails when another process was first, and never shows half a key
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
