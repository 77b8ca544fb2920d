"""The evidence of an invoice: for who may see its money, as a file that proves it."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.urls import reverse

from metering.models import Pruning
from portal.models import Role
from tests.portal import makers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

SCRIPT = Path(__file__).parents[2] / "docs" / "recompute_invoice.py"
ADDRESS = "/a/acme/invoices/2026-000001/evidence/"


@pytest.fixture(autouse=True)
def nobody_counted(db):
    cache.clear()


@pytest.fixture
def invoice(account):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.use(account, 12, time=makers.SEPTEMBER + timedelta(days=3))
    return makers.issue_invoices(account)[0]


def download(client) -> bytes:
    return b"".join(client.get(ADDRESS).streaming_content)


def test_the_download_is_a_file_that_the_script_proves(invoice, owner, tmp_path):
    answer = owner.get(ADDRESS)
    assert answer.streaming
    assert answer["Content-Disposition"] == 'attachment; filename="evidence-2026-000001.jsonl"'
    assert answer["Content-Type"] == "application/jsonl; charset=utf-8"
    assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("private, no-store", "nosniff")
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(b"".join(answer.streaming_content))
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"PROVED 2026-000001: {invoice.total_minor} of the smallest unit of {invoice.currency}\n"


def test_the_download_holds_the_accounts_own_events(invoice, owner):
    records = [json.loads(line) for line in download(owner).splitlines()]
    events = [json.loads(record["sealed"]) for record in records if record["record"] == "event"]
    assert len(events) == 12
    assert {event[4] for event in events} == {"acme"}


@pytest.mark.parametrize(("role", "status"), [
    (Role.OWNER, 200), (Role.BILLING, 200), (Role.DEVELOPER, 403), (Role.VIEWER, 403),
])  # fmt: skip
def test_it_is_for_who_may_see_money(invoice, account, role, status):
    [client] = makers.log_in(makers.make_member(account, role))
    assert client.get(ADDRESS).status_code == status


def test_anothers_invoice_has_no_evidence_below_ones_own_account(invoice):
    own = makers.make_account("own")
    [stranger] = makers.log_in(makers.make_member(own, Role.OWNER))
    assert stranger.get(ADDRESS).status_code == 404
    assert stranger.get("/a/own/invoices/2026-000001/evidence/").status_code == 404


def test_a_person_may_ask_so_often_in_a_minute(invoice, owner, settings):
    settings.BILLING_PAPERS_PER_MINUTE = 2
    answers = [owner.get(ADDRESS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "60"


def test_what_was_dropped_is_said(invoice, owner):
    Pruning.objects.create(
        month=makers.SEPTEMBER.date(),
        event_count=1,
        kept_after=makers.SEPTEMBER + timedelta(days=4),
        pruned_at=makers.NOV_10,
    )
    answer = owner.get(ADDRESS)
    assert answer.status_code == 410
    assert "dropped by their age" in answer.content.decode()


def test_the_invoices_page_leads_to_it_and_shows_each_digest(invoice, owner):
    page = owner.get("/a/acme/invoices/2026-000001/").content.decode()
    assert f'href="{ADDRESS}"' in page
    digests = [line.event_digest for line in invoice.lines if line.event_digest]
    assert digests
    assert all(f"<code>{digest}</code>" in page for digest in digests)


def test_finance_finds_it_beside_the_invoice(invoice, admin_client):
    page = admin_client.get(reverse("admin:billing_invoice_change", args=[invoice.id])).content.decode()
    address = reverse("admin:billing_invoice_evidence", args=[invoice.id])
    assert f'href="{address}"' in page
    assert next(line.event_digest for line in invoice.lines if line.event_digest) in page
    records = b"".join(admin_client.get(address).streaming_content).splitlines()
    assert json.loads(records[-1]) == {"record": "end", "events": 12}
    assert admin_client.get(reverse("admin:billing_invoice_evidence", args=[invoice.id + 1])).status_code == 404
