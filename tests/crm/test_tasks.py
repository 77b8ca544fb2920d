import pytest
import time_machine
from django.db import transaction

from config.celery import app
from crm.leads import TAKE_UP
from crm.models import Lead
from crm.tasks import open_leads
from jobs.queue import do_now
from metering.notices import announce
from tests.crm.makers import JUNE_10, JUNE_11, make_customer, raise_alert, use


@pytest.mark.django_db
def test_the_beat_task_opens_leads_with_the_clock_of_its_run():
    use(make_customer("acme"), 260)

    with time_machine.travel(JUNE_11, tick=False):
        open_leads.apply(throw=True)
        open_leads.apply(throw=True)

    [lead] = Lead.objects.all()
    assert lead.opened_at == JUNE_11


def test_beat_calls_the_task_by_the_name_it_has(settings):
    app.loader.import_default_modules()

    names = [task for task, _seconds in settings.PERIODIC_TASKS.values() if task.startswith("crm.")]
    assert names == ["crm.tasks.open_leads"]
    assert set(names) <= set(app.tasks)


@pytest.mark.django_db(transaction=True)
def test_the_job_that_an_alert_begins_takes_it_up():
    account = make_customer("acme")
    alert = raise_alert(account)
    with transaction.atomic():
        announce([alert.pk], occasion="raised", at=JUNE_10)

    assert do_now(TAKE_UP, f"alert {alert.pk}", clock=lambda: JUNE_11) == "done"
    assert do_now(TAKE_UP, f"alert {alert.pk}", clock=lambda: JUNE_11) is None

    [lead] = Lead.objects.all()
    assert (lead.account_id, lead.opened_at) == (account.id, JUNE_11)
