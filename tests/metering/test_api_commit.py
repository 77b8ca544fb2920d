import json

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.metering.makers import make_account, make_key, make_meter


@pytest.mark.django_db(transaction=True)
def test_when_the_answer_is_there_everybody_else_can_see_the_event(client: Client):
    make_account(), make_meter()
    secret = make_key(at=timezone.now()).secret
    event = {"id": "1", "source": "shop", "type": "request", "subject": "acme"}

    answer = client.post(
        "/api/v1/events", json.dumps(event), "application/json", headers={"Authorization": f"Bearer {secret}"}
    )

    assert answer.status_code == 200
    elsewhere = {name: connection.settings_dict[name] for name in ("HOST", "USER", "NAME")}
    with psycopg.connect(host=elsewhere["HOST"], user=elsewhere["USER"], dbname=elsewhere["NAME"]) as other:
        assert other.execute("SELECT count(*) FROM metering_event").fetchone() == (1,)
        assert other.execute("SELECT total FROM metering_hourlyrollup").fetchone() == (1,)
