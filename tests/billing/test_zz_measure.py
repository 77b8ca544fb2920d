import time
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from billing import subscriptions, invoicing, previews
from billing.models import Period
from metering import accounts
from tests.billing.makers import *


@pytest.mark.django_db(transaction=True)
def test_measure():
    plan = make_plan()
    ids = list(accounts.create_accounts([(f"c{i}", f"C {i}") for i in range(301)], at=JAN).values())
    with CaptureQueriesContext(connection) as c:
        subscriptions.create_subscription(account_id=ids[0], plan_slug=plan.slug, started_at=JAN, at=JAN)
    for q in c.captured_queries:
        print(q["sql"][:150])
    print("CREATE QUERIES", len(c))
    t = time.perf_counter()
    for i in ids[1:]:
        subscriptions.create_subscription(account_id=i, plan_slug=plan.slug, started_at=JAN, at=JAN)
    print("CREATE ms", (time.perf_counter() - t) / 300 * 1000)
    for i in range(300):
        use(f"c{i}", sizes=[5] * 3, time=MID_JAN)
    with CaptureQueriesContext(connection) as c:
        previews.preview_period(account_id=ids[0], at=MID_JAN)
    print("PREVIEW QUERIES", len(c))
    t = time.perf_counter()
    for i in ids[:100]:
        previews.preview_period(account_id=i, at=MID_JAN)
    print("PREVIEW ms", (time.perf_counter() - t) / 100 * 1000)
    ps = list(Period.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as c:
        invoicing.close_period(ps[0], at=FEB)
    for q in c.captured_queries:
        print(q["sql"][:150])
    print("CLOSE QUERIES", len(c))
    t = time.perf_counter()
    for p in ps[1:]:
        invoicing.close_period(p, at=FEB)
    print("CLOSE ms", (time.perf_counter() - t) / 300 * 1000)
