import stat
from pathlib import Path
from threading import Thread

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.secrets import (
    STRIPE_API,
    STRIPE_METERS,
    find_stripe_problems,
    read_or_make_key,
    read_stripe_secrets,
    require_production,
)

WHOLE = {
    "SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgres://a/b",
    "REDIS_URL": "redis://a",
    "ALLOWED_HOSTS": "a.example",
}


def test_whole_secrets_pass():
    require_production(WHOLE)


@pytest.mark.parametrize("missing", sorted(WHOLE))
def test_one_missing_secret_is_named_alone(missing: str):
    with pytest.raises(ImproperlyConfigured) as refusal:
        require_production({name: value for name, value in WHOLE.items() if name != missing})
    [_, line] = str(refusal.value).splitlines()
    assert line.startswith(f"  {missing} is missing (")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"SECRET_KEY": "short"}, "SECRET_KEY is too short"),
        ({"DATABASE_URL": "mysql://a:pw-in-url@b/c"}, "DATABASE_URL does not start with postgres:// or postgresql://"),
        ({"REDIS_URL": "pw-in-url@cache"}, "REDIS_URL does not start with redis:// or rediss:// or unix://"),
        ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS is missing"),
        ({"STRIPE_SECRET_KEY": "sk_test_1"}, "STRIPE_WEBHOOK_SECRET is missing (STRIPE_SECRET_KEY is set"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1"}, "STRIPE_SECRET_KEY is missing (STRIPE_WEBHOOK_SECRET is set"),
    ],
)
def test_an_unusable_value_is_refused_without_being_shown(change: dict[str, str], complaint: str):
    with pytest.raises(ImproperlyConfigured) as refusal:
        require_production(WHOLE | change)
    assert complaint in str(refusal.value)
    assert "pw-in-url" not in str(refusal.value)


def test_one_complaint_holds_every_problem():
    with pytest.raises(ImproperlyConfigured) as refusal:
        require_production({"SECRET_KEY": "short", "STRIPE_SECRET_KEY": "sk_test_1"})
    lines = str(refusal.value).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        *["DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "SECRET_KEY", "STRIPE_WEBHOOK_SECRET"]
    ]


def test_both_stripe_secrets_or_none():
    assert read_stripe_secrets({}) == ("", [])
    assert read_stripe_secrets({"STRIPE_SECRET_KEY": "a", "STRIPE_WEBHOOK_SECRET": "b"}) == ("a", ["b"])
    with pytest.raises(ImproperlyConfigured, match="STRIPE_WEBHOOK_SECRET is missing"):
        read_stripe_secrets({"STRIPE_SECRET_KEY": "a"})


def test_several_webhook_secrets_are_kept_in_order():
    environ = {"STRIPE_SECRET_KEY": "a", "STRIPE_WEBHOOK_SECRET": "new, old,"}
    assert read_stripe_secrets(environ) == ("a", ["new", "old"])


def test_the_development_key_is_made_once_private_and_long(tmp_path: Path):
    path = tmp_path / "var" / "secret_key"
    key = read_or_make_key(path)
    assert len(key) >= 50
    assert read_or_make_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]
    assert read_or_make_key(tmp_path / "other" / "secret_key") != key


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path):
    keys: list[str] = []
    threads = [Thread(target=lambda: keys.append(read_or_make_key(tmp_path / "secret_key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys) == 8


@pytest.mark.parametrize(
    ("key", "api", "meters", "is_debug", "problems"),
    [
        ("", "http://127.0.0.1", "http://127.0.0.1", True, []),
        ("sk_test_1", STRIPE_API, STRIPE_METERS, False, []),
        ("sk_test_1", "http://127.0.0.1", "http://127.0.0.1", True, []),
        ("rk_live_1", STRIPE_API, STRIPE_METERS, False, []),
        ("rk_live_1", "https://api.stripe.com.example", STRIPE_METERS, False, ["STRIPE_API_BASE is not Stripe's"]),
        ("sk_live_1", STRIPE_API, "http://127.0.0.1", False, ["STRIPE_METER_EVENTS_BASE is not Stripe's"]),
        ("sk_test_1", STRIPE_API, "http://127.0.0.1", True, ["STRIPE_API_BASE is Stripe's"]),
    ],
)
def test_a_live_key_stays_with_stripe_and_debug_mode_away_from_it(
    key: str, api: str, meters: str, is_debug: bool, problems: list[str]
):
    found = find_stripe_problems(key, api_base=api, meter_events_base=meters, is_debug=is_debug)

    assert [line.partition(" (")[0] for line in found] == problems
    assert not any(key in line for line in found if key)
