"""An endpoint speaks the API version it was made with, which is not that of our client for ever."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import StripeEvent, StripeEventState
from tests.billing.stripe.inbox.bodies import write_event
from tests.scenarios.webhooks import KIND, tell, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"api_version": "2020-08-27", "request": None},
        {"api_version": None},
        {"api_version": "2031-01-01.zenith", "new_field": {"of": ["a", "later", "version"]}},
    ],
)
def test_scenario_27_an_event_of_another_version_is_handled_by_its_objects_id(handled, changes):
    assert tell(write_event("evt_1", KIND, about="in_7", **changes)) == 200
    assert work(at=timezone.now() + timedelta(seconds=1)) == "done"
    event = StripeEvent.objects.get()
    assert (event.object_id, event.api_version) == ("in_7", changes["api_version"] or "")
    assert (handled, event.state) == (["evt_1"], StripeEventState.HANDLED)
