import pytest
from django.contrib.auth import get_user_model

from crm.notices import find_reps
from tests.crm.makers import JUNE_10, make_given_lead, make_plain_lead, make_rep

pytestmark = pytest.mark.django_db


def test_the_rep_of_the_open_lead_hears_of_the_accounts_alerts(settings):
    settings.PUBLIC_URL = "https://palier.example"
    make_rep("rita")
    lead = make_given_lead("acme")
    [recipient] = find_reps([lead.account_id], JUNE_10)[lead.account_id]
    assert recipient.address == "rita@example.com"
    assert recipient.page_url == f"https://palier.example/admin/crm/lead/{lead.pk}/change/"


def test_a_lead_in_the_queue_is_nobodys():
    lead = make_plain_lead("acme")
    assert find_reps([lead.account_id], JUNE_10) == {}


def test_who_left_hears_nothing():
    make_rep("rita")
    lead = make_given_lead("acme")
    get_user_model().objects.update(is_active=False)
    assert find_reps([lead.account_id], JUNE_10) == {}
