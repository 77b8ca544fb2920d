import hashlib
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.utils import timezone

from metering.keys import (
    SCOPES,
    InvalidKey,
    InvalidKeyTerms,
    MissingScope,
    authenticate,
    authenticate_all,
    issue_key,
    revoke_key,
    rotate_key,
)
from metering.models import Account, ApiKey
from tests.metering.makers import NOON, make_account, make_key

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


def test_an_accounts_key_knows_the_names_of_its_account():
    account = make_account("acme", aliases=["ACME", "acme:eu"])
    make_account("other")
    issued = issue_key(name="own", scopes=list(SCOPES), at=NOON, account_id=account.id)
    key = authenticate(f"Bearer {issued.secret}", scope="usage:read", at=NOON)
    assert (key.account_id, key.subjects) == (account.id, {"acme", "ACME", "acme:eu"})
    vendor = authenticate(f"Bearer {make_key().secret}", scope=SCOPE, at=NOON)
    assert (vendor.account_id, vendor.subjects) == (None, None)


@pytest.mark.parametrize("terms", [{"account_id": 987654}, {"rate_per_second": 0}, {"rate_per_second": -1}])
def test_a_key_is_not_issued_for_nobody_or_at_no_rate(terms):
    with pytest.raises(InvalidKeyTerms):
        issue_key(name="x", scopes=[SCOPE], at=NOON, **terms)


def test_the_account_of_a_key_stays():
    account = make_account()
    issue_key(name="own", scopes=[SCOPE], at=NOON, account_id=account.id)
    with pytest.raises(ProtectedError):
        Account.objects.all().delete()


def test_several_requests_are_looked_up_at_once(django_assert_num_queries):
    one, two = make_key("one"), make_key("two")
    headers = [f"Bearer {one.secret}", None, f"Bearer {two.secret}", f"Bearer {two.secret[:-3]}xyz", "nonsense"]
    with django_assert_num_queries(1):
        found = authenticate_all([*headers, headers[0]], scope=SCOPE, at=NOON)
    assert [getattr(each, "id", None) for each in found] == [one.id, None, two.id, None, None, one.id]
    assert [type(each) for each in found if not hasattr(each, "id")] == [InvalidKey] * 3


def test_a_rotated_key_has_two_secrets_until_the_old_one_ends():
    issued = make_key()
    rotated = rotate_key(issued.id, at=NOON, old_until=NOON + timedelta(hours=24))
    assert (rotated.id, rotated.prefix) == (issued.id, issued.prefix)
    assert rotated.secret != issued.secret
    for secret in (issued.secret, rotated.secret):
        assert authenticate(f"Bearer {secret}", scope=SCOPE, at=NOON + timedelta(hours=23)).id == issued.id
    authenticate(f"Bearer {rotated.secret}", scope=SCOPE, at=NOON + timedelta(hours=24))
    with pytest.raises(InvalidKey, match="not valid"):
        authenticate(f"Bearer {issued.secret}", scope=SCOPE, at=NOON + timedelta(hours=24))


def test_rotated_again_the_oldest_secret_is_gone():
    first = make_key()
    later = NOON + timedelta(days=7)
    second = rotate_key(first.id, at=NOON, old_until=later)
    third = rotate_key(first.id, at=NOON, old_until=later)
    with pytest.raises(InvalidKey):
        authenticate(f"Bearer {first.secret}", scope=SCOPE, at=NOON)
    for secret in (second.secret, third.secret):
        authenticate(f"Bearer {secret}", scope=SCOPE, at=NOON)


def test_revoking_ends_both_secrets():
    first = make_key()
    second = rotate_key(first.id, at=NOON, old_until=NOON + timedelta(days=7))
    revoke_key(first.id, at=NOON)
    for secret in (first.secret, second.secret):
        with pytest.raises(InvalidKey, match="revoked"):
            authenticate(f"Bearer {secret}", scope=SCOPE, at=NOON)


def test_only_a_good_key_gets_a_new_secret():
    revoked, expired = make_key(), make_key(expires_at=NOON + timedelta(hours=1))
    revoke_key(revoked.id, at=NOON)
    later = NOON + timedelta(days=1)
    for key_id in (revoked.id, expired.id, 987654):
        with pytest.raises(InvalidKeyTerms):
            rotate_key(key_id, at=later, old_until=later)
    with pytest.raises(InvalidKeyTerms):
        rotate_key(make_key().id, at=later, old_until=NOON)


def test_the_database_refuses_an_old_secret_that_never_ends():
    with pytest.raises(IntegrityError, match="api_key_previous_secret_ends"):
        ApiKey.objects.create(name="x", prefix="x", digest=b"x", previous_digest=b"y", scopes=[SCOPE], created_at=NOON)


def test_the_command_issues_an_accounts_key_with_a_rate():
    account, out = make_account(), StringIO()
    call_command(
        "create_api_key", "Own", "--scope", SCOPE, "--account", "acme", "--rate", "5", stdout=out, stderr=StringIO()
    )
    key = authenticate(f"Bearer {out.getvalue().strip()}", scope=SCOPE, at=timezone.now(), is_rated=True)
    assert (key.account_id, key.is_rated, ApiKey.objects.get().rate_per_second) == (account.id, True, 5)
    with pytest.raises(CommandError):
        call_command("create_api_key", "Own", "--scope", SCOPE, "--account", "nobody")


def test_the_command_rotates_a_key():
    issued, out, told = make_key(at=timezone.now()), StringIO(), StringIO()
    call_command("rotate_api_key", issued.prefix, "--keep", "1", stdout=out, stderr=told)
    for secret in (issued.secret, out.getvalue().strip()):
        authenticate(f"Bearer {secret}", scope=SCOPE, at=timezone.now())
    assert "good until" in told.getvalue()
    for arguments in (["nothing"], [issued.prefix, "--keep", "-1"]):
        with pytest.raises(CommandError):
            call_command("rotate_api_key", *arguments)
