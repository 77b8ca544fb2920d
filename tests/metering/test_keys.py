import hashlib
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.utils import timezone

from metering.keys import InvalidKey, InvalidKeyTerms, MissingScope, authenticate, issue_key, revoke_key
from metering.models import ApiKey
from tests.metering.makers import NOON, make_key

pytestmark = pytest.mark.django_db

SCOPE = "events:write"


def test_a_key_is_kept_as_its_prefix_and_its_hash_alone():
    issued = make_key()
    assert re.fullmatch(r"palier_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", issued.secret)
    row = ApiKey.objects.get()
    assert row.prefix == issued.prefix == issued.secret[7:19]
    assert bytes(row.digest) == hashlib.sha256(issued.secret.encode()).digest()
    assert all(issued.secret[20:] not in str(value) for value in ApiKey.objects.values().get().values())


def test_two_keys_have_nothing_in_common():
    assert make_key("a").secret != make_key("a").secret


def test_the_bearer_of_a_key_is_known():
    issued = make_key()
    key = authenticate(f"Bearer {issued.secret}", scope=SCOPE, at=NOON)
    assert (key.id, key.name, key.scopes) == (issued.id, "integrator", ("events:write",))
    assert authenticate(f"bearer  {issued.secret} ", scope=SCOPE, at=NOON) == key


def test_one_letter_off_is_not_the_key(django_assert_num_queries):
    secret = make_key().secret
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    with django_assert_num_queries(1), pytest.raises(InvalidKey, match="not valid"):
        authenticate(f"Bearer {wrong}", scope=SCOPE, at=NOON)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Token x", "Bearer \ud800", "Bearer a\0b"])
def test_what_is_no_key_asks_no_database(header, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(InvalidKey):
        authenticate(header, scope=SCOPE, at=NOON)


def test_a_key_ends_at_its_expiry():
    issued = make_key(at=NOON, expires_at=NOON + timedelta(days=1))
    authenticate(f"Bearer {issued.secret}", scope=SCOPE, at=NOON + timedelta(hours=23))
    with pytest.raises(InvalidKey, match="expired"):
        authenticate(f"Bearer {issued.secret}", scope=SCOPE, at=NOON + timedelta(days=1))


def test_revoking_twice_keeps_the_first_time():
    issued = make_key()
    revoke_key(issued.id, at=NOON)
    revoke_key(issued.id, at=NOON + timedelta(days=1))
    assert ApiKey.objects.get().revoked_at == NOON
    with pytest.raises(InvalidKey, match="revoked"):
        authenticate(f"Bearer {issued.secret}", scope=SCOPE, at=NOON)


def test_a_key_opens_its_scopes_alone():
    secret = make_key().secret
    with pytest.raises(MissingScope, match="usage:read"):
        authenticate(f"Bearer {secret}", scope="usage:read", at=NOON)


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [("x", [], None), ("x", ["everything"], None), ("", [SCOPE], None), ("x" * 121, [SCOPE], None), ("x", [SCOPE], 0)],
)
def test_a_key_is_not_issued_on_bad_terms(name, scopes, days):
    expires_at = None if days is None else NOON + timedelta(days=days)
    with pytest.raises(InvalidKeyTerms):
        issue_key(name=name, scopes=scopes, at=NOON, expires_at=expires_at)


def test_the_database_refuses_a_key_without_a_scope():
    with pytest.raises(IntegrityError, match="api_key_has_a_scope"):
        ApiKey.objects.create(name="x", prefix="x", digest=b"x", scopes=[], created_at=NOON)


def test_the_command_prints_the_key_once():
    out, told = StringIO(), StringIO()
    call_command("create_api_key", "Shop", "--scope", SCOPE, "--expires", "30", stdout=out, stderr=told)
    secret = out.getvalue().strip()
    key = authenticate(f"Bearer {secret}", scope=SCOPE, at=timezone.now())
    assert key.name == "Shop"
    assert ApiKey.objects.get().expires_at > timezone.now() + timedelta(days=29)
    assert secret not in told.getvalue()


@pytest.mark.parametrize("arguments", [["--scope", "everything"], ["--scope", SCOPE, "--expires", "-1"]])
def test_the_command_refuses_bad_terms_in_a_sentence(arguments):
    with pytest.raises(CommandError):
        call_command("create_api_key", "Shop", *arguments)
    assert not ApiKey.objects.exists()
