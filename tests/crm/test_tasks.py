import pytest
import time_machine

from config.celery import app
from crm.models import Lead
from crm.tasks import open_leads
from tests.crm.makers import JUNE_11, make_customer, use


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
