from datetime import timedelta

import pytest

from jobs.webhooks import UnsafeAddress
from metering.models import WebhookEndpoint
from metering.notices.endpoints import create_endpoint, rotate_secret
from metering.notices.sending import list_keys
from tests.metering.notices.makers import NOON

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_an_endpoint_gets_a_secret_of_32_random_bytes():
    made = create_endpoint(name="ops", url="https://hooks.example/", at=NOON)
    assert made.secret.startswith("whsec_")
    assert WebhookEndpoint.objects.get(pk=made.id).secret == made.secret


def test_an_address_where_nothing_may_be_sent_is_refused():
    with pytest.raises(UnsafeAddress):
        create_endpoint(name="ops", url="http://hooks.example/", at=NOON)
    assert WebhookEndpoint.objects.count() == 0


def test_after_a_rotation_both_secrets_sign_until_the_old_one_ends():
    made = create_endpoint(name="ops", url="https://hooks.example/", at=NOON)
    new = rotate_secret(made.id, old_until=NOON + DAY, at=NOON)
    endpoint = WebhookEndpoint.objects.get()
    assert list_keys(endpoint, at=NOON) == [new.secret, made.secret]
    assert list_keys(endpoint, at=NOON + DAY) == [new.secret]


def test_an_old_secret_that_is_known_to_others_ends_at_once():
    made = create_endpoint(name="ops", url="https://hooks.example/", at=NOON)
    new = rotate_secret(made.id, old_until=NOON, at=NOON)
    assert list_keys(WebhookEndpoint.objects.get(), at=NOON) == [new.secret]
