"""Budgets in the back-office: read, never written."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.budgets import set_budget
from tests.billing.alerting.makers import make_customers

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)


def test_budgets_are_listed_with_what_was_said_and_nobody_edits_them(admin_client):
    [account_id] = make_customers("acme")
    budget = set_budget(account_id=account_id, amount_minor=12_50, currency="EUR", levels=[Decimal(50)], at=JAN_11)
    page = admin_client.get("/admin/billing/budget/").content.decode()
    assert ("€12.50" in page, "everything" in page) == (True, True)
    page = admin_client.get(f"/admin/billing/budget/{budget.id}/change/").content.decode()
    assert page.count("€12.50") == 2
    assert admin_client.get("/admin/billing/budget/add/").status_code == 403
    assert admin_client.post(f"/admin/billing/budget/{budget.id}/change/", {"amount_minor": 1}).status_code == 403
