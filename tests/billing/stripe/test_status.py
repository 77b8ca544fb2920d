import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command

from billing.stripe.drifts import open_drift
from billing.stripe.status import OpenDrifts, read_status

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 1, tzinfo=UTC)


def test_without_a_key_everything_is_quiet(settings):
    settings.STRIPE_SECRET_KEY = ""
    status = read_status(AT)
    assert (status.mode, status.api_version, status.drift_count, status.drifts) == ("off", "", 0, ())


@pytest.mark.parametrize(("key", "mode"), [("sk_test_1", "test"), ("rk_live_1", "live")])
def test_the_mode_is_that_of_the_key(settings, key, mode):
    settings.STRIPE_SECRET_KEY = key
    assert read_status(AT).mode == mode


def test_drifts_are_summed_by_kind_and_currency(django_assert_max_num_queries):
    for number, currency in enumerate(["EUR", "EUR", "JPY"], start=1):
        terms = {"ours": "a", "theirs": "b", "cause": "c", "at": AT, "difference_minor": number, "currency": currency}
        open_drift("invoice_total", str(number), account_id=None, **terms)
    with django_assert_max_num_queries(14):
        status = read_status(AT)
    assert status.drifts == (OpenDrifts("invoice_total", 2, 3, "EUR"), OpenDrifts("invoice_total", 1, 3, "JPY"))


def test_the_command_tells_a_machine_and_ends_with_one_while_something_differs(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_secret"
    open_drift("payment", "1", account_id=None, ours="a", theirs="b", cause="c", at=AT)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("stripe_status", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (ended.value.code, told["drift_count"], told["mode"], told["reads"]) == (1, 1, "test", 0)
    assert "sk_test_secret" not in out.getvalue()
