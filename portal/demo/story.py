"""The main job, told on real input: usage in → counted → priced → watched → alert → lead → invoice → customer.

Each step compares what the product says with facts that are known of the log, or that are read from it by other means.
Telling the story again on the same data finds everything done, and adds nothing.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.invoicing import InvoiceFact, list_invoices
from billing.periods import CALENDAR_MONTH, find_period
from billing.plans import list_plans
from billing.previews import preview_period
from crm.leads import list_leads
from metering.accounts import read_names
from metering.alerts import list_alerts
from metering.grading import QualityReport, read_report
from metering.importers import AccessLog, ImportReport, import_usage
from metering.keys import issue_key, revoke_key
from metering.usage import read_totals_of
from portal.demo.catalogue import BANDWIDTH, REQUESTS, seed_catalogue
from portal.demo.charging import Charging, is_local
from portal.demo.customers import Cast, create_customers
from portal.demo.facts import Fact, wait_until
from portal.demo.log import LOG, find_shift, read_requests, write_lines_of
from portal.demo.people import (
    CUSTOMER,
    CUSTOMER_EMAIL,
    MANAGER_EMAIL,
    Login,
    renew_passwords,
    seed_customer,
    seed_staff,
)
from portal.demo.regulars import REGULARS, count_reached, list_months, live_through
from portal.invariants import find_violations
from portal.models import User

LEVELS = (80, *range(100, 1001, 25))  # percent of the limit, as a new installation has them
LAST_MONTH = "access-log:last-month"
HOUR = timedelta(hours=1)


class Story:
    """The steps, in order; `logins` are there once the customer has looked in."""

    def __init__(self, *, at: datetime) -> None:
        self.at = at
        self.requests = read_requests()
        self.cast = Cast(self.requests, find_shift(self.requests, end=at))
        self.logins: list[Login] = []

    def tell(self) -> Iterator[Fact]:
        seed_catalogue(at=self.at)
        seed_staff()
        live_through(at=self.at)
        create_customers(self.cast, at=self.at)
        seed_customer()
        charging = Charging(self.requests) if is_local() else None
        if charging:
            charging.begin()
        yield from self.import_last_month()
        yield from self.import_log()
        yield from self.count()
        yield from self.price()
        yield from self.watch()
        yield from self.call()
        yield from self.invoice()
        yield from self.grade()
        if charging:
            yield from charging.tell()
        yield from self.look_in()
        yield from self.prove()

    def import_last_month(self) -> Iterator[Fact]:
        """What the busiest clients did the month before: their lines of the same log, moved into it."""
        start, _end = self.cast.month_before
        copy = Path(settings.VAR_DIR) / "demo" / "last-month.log"
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_lines_of({client: client for client in self.cast.old_customers}, copy)
        report = self.import_file(copy, source=LAST_MONTH, end=start + timedelta(days=14))
        busiest = sum(count for _client, count in Counter(r.client for r in self.requests).most_common(100))
        yield Fact("last month's usage", "requests of the hundred busiest", report.file_accepted, busiest)

    def import_log(self) -> Iterator[Fact]:
        report = self.import_file(LOG, end=self.at)
        self.cast = Cast(self.requests, report.shift)  # that of the first time
        self.source = report.source
        yield Fact("usage in", "lines of the log, every one accepted", report.file_accepted, 10_000)
        yield Fact("usage in", "lines rejected or without an account", report.file_rejected + report.file_unmatched, 0)
        again = self.import_file(LOG, end=self.at)
        yield Fact("usage in again", "added by a second import", again.accepted, 0)
        yield Fact(
            "usage in again", "the API refuses another request under a known id", self.send_known_id(), "conflict"
        )

    def import_file(self, path: Path, *, end: datetime, source: str | None = None) -> ImportReport:
        requests = read_requests(path)
        shift = find_shift(requests, end=end)
        return import_usage(path, format=AccessLog(), at=self.at, source=source, shift=shift)

    def send_known_id(self) -> str:
        """Claim the log's first line for something else, over HTTP with a key of its own."""
        key = issue_key(name="demo story", scopes=["events:write"], at=timezone.now())
        event = {"source": self.source, "id": "1", "type": "http.request", "subject": CUSTOMER, "data": {"bytes": 1}}
        answer = Client(SERVER_NAME="localhost").post(
            reverse("metering:events"),
            json.dumps(event),
            "application/json",
            headers={"Authorization": f"Bearer {key.secret}"},
        )
        revoke_key(key.id, at=timezone.now())
        return str(answer.json()["results"][0]["fate"])

    @cached_property
    def usage(self) -> dict[str, dict[str, Decimal]]:
        """Client → meter → quantity, over the hours of the log."""
        start = self.cast.start.replace(minute=0, second=0)
        end = (self.cast.end + HOUR).replace(minute=0, second=0)
        totals = read_totals_of(self.account_ids.values(), start=start, end=end)
        return {
            client: {each.meter_key: each.quantity for each in totals[account_id]}
            for client, account_id in self.account_ids.items()
        }

    @cached_property
    def account_ids(self) -> dict[str, int]:
        return read_names({request.client for request in self.requests})

    def count(self) -> Iterator[Fact]:
        requests = sorted((int(used[REQUESTS]) for used in self.usage.values()), reverse=True)
        sizes = [int(used[BANDWIDTH]) for used in self.usage.values()]
        yield Fact("counted", "accounts", len(self.usage), 1_753)
        yield Fact("counted", "requests of the top five", requests[:5], [482, 364, 357, 273, 113])
        yield Fact("counted", "requests in all", sum(requests), 10_000)
        yield Fact("counted", "bytes in all", sum(sizes), 2_747_282_740)
        yield Fact("counted", "bytes of the heaviest", max(sizes), 168_132_893)

    def price(self) -> Iterator[Fact]:
        month, _end = find_period(self.at, CALENDAR_MONTH, "UTC")
        now = [r for r in self.requests if r.client == CUSTOMER and r.time + self.cast.shift >= month]
        preview = preview_period(account_id=self.account_ids[CUSTOMER], at=self.at)
        expected = price_business_plan(len(now), sum(request.bytes for request in now))
        yield Fact("priced", f"cost so far of {CUSTOMER}, in cents", preview.total_minor, expected)

    def watch(self) -> Iterator[Fact]:
        """The levels were seen as the usage came in; the periodic check finds nothing new."""
        expected = self.expect_levels()
        current_app.send_task("metering.tasks.check_limits")
        found = self.read_levels()
        for name, levels in (("80 %", LEVELS[:1]), ("100 %", LEVELS[1:2]), ("beyond 100 %", LEVELS[2:])):
            counts = [sum(highest in levels for highest in each.values()) for each in (found, expected)]
            yield Fact("watched", f"limits whose highest level is {name}", *counts)
        yield Fact("watched", "every level where it should be", found == expected, True)
        watched = len({client for client, _meter, _start in found})
        yield Fact("watched", "most accounts pass no level", watched * 2 < len(self.account_ids) and watched > 0, True)

    def expect_levels(self) -> dict[tuple[str, str, datetime], int]:
        """Highest level per client, meter and month, from the log and the plans alone."""
        plans = self.cast.fit_plans(list_plans(at=self.at))
        highest = {}
        for (client, meter, month), used in self.cast.sum_by_window().items():
            allowed = next(limit.quantity for limit in plans[client].limits if limit.meter_key == meter)
            passed = [level for level in LEVELS if used * 100 >= level * allowed]
            if passed:
                highest[client, meter, month] = passed[-1]
        return highest

    def read_levels(self) -> dict[tuple[str, str, datetime], int]:
        clients = {account_id: client for client, account_id in self.account_ids.items()}
        highest: dict[tuple[str, str, datetime], int] = {}
        for alert in list_alerts(clients):
            key = (clients[alert.account_id], alert.meter_key, alert.start)
            highest[key] = max(int(alert.level), highest.get(key, 0))
        return highest

    def call(self) -> Iterator[Fact]:
        """The worker turns alerts into leads."""
        manager = User.objects.get(email=MANAGER_EMAIL)
        alerted = {self.account_ids[client] for client, _meter, _start in self.expect_levels()}
        current_app.send_task("crm.tasks.open_leads")
        wait_until(lambda: {lead.account_id for lead in list_leads(person=manager)} >= alerted)
        leads = [lead for lead in list_leads(person=manager) if lead.account_id in alerted]
        still_open = Counter(lead.account_id for lead in leads if lead.closed_at is None)
        yield Fact("leads", "accounts with a lead", len({lead.account_id for lead in leads}), len(alerted))
        yield Fact("leads", "accounts with more than one open lead", sum(n > 1 for n in still_open.values()), 0)
        yield Fact("leads", "leads that nobody has", sum(lead.rep_id is None for lead in leads), 0)

    def invoice(self) -> Iterator[Fact]:
        """The worker closes the month before."""
        start, _end = self.cast.month_before
        current_app.send_task("billing.tasks.enqueue_due_periods")
        old = [self.account_ids[client] for client in self.cast.old_customers]
        wait_until(lambda: all(find_invoice(account_id, start) for account_id in old))
        invoices = [find_invoice(account_id, start) for account_id in old]
        yield Fact("invoiced", "invoices of last month", sum(each is not None for each in invoices), len(old))
        mine = find_invoice(self.account_ids[CUSTOMER], start)
        # 149.00 + 50 × 0.03 + 23 × 0.02 requests after 200, + 17,140,354 bytes × 0.00000005
        yield Fact("invoiced", f"last month of {CUSTOMER}, in cents", mine and mine.total_minor, 151_82)

    def grade(self) -> Iterator[Fact]:
        """What was said of the regular customers' limits is compared with what came, in the two months before this."""
        months = list_months(self.at)
        ids = read_names([each.key for each in REGULARS])
        read = partial(read_report, start=months[0][1], end=months[1][1] + HOUR, meter_key=REQUESTS)
        graded = len(REGULARS) * 2  # who became a customer later has no limits in the past
        wait_until(lambda: all(find_invoice(pk, start) for pk in ids.values() for start, _end in months[:2]))
        current_app.send_task("metering.tasks.grade_windows")
        wait_until(lambda: read().windows >= graded)
        report = read()
        yield Fact(
            "graded", "limits of the regulars that were reached", self.count_reached(ids), count_reached(self.at)
        )
        yield Fact("graded", "what was said of their limits is graded", report.windows >= graded, True)
        yield Fact("graded", "a forecast alarm came before its limit", is_foretold(ids.values()), True)
        yield Fact("graded", "forecasts better than run-rate", is_skilled(report), True)

    def count_reached(self, ids: Mapping[str, int]) -> int:
        """By the alerts at a hundred percent."""
        this_month = list_months(self.at)[2][0]
        return sum(
            alert.kind == "usage" and alert.level == 100 and alert.start < this_month
            for alert in list_alerts(ids.values())
        )

    def look_in(self) -> Iterator[Fact]:
        """The customer logs in and finds usage, cost and invoice; somebody else's account is not there."""
        self.logins = renew_passwords()
        password = next(login.password for login in self.logins if login.email == CUSTOMER_EMAIL)
        browser = Client(SERVER_NAME="localhost")
        browser.post(reverse("account_login"), {"login": CUSTOMER_EMAIL, "password": password})
        start, _end = self.cast.month_before
        invoice = find_invoice(self.account_ids[CUSTOMER], start)
        dashboard = browser.get(reverse("portal:dashboard", args=[CUSTOMER]))
        page = browser.get(reverse("portal:invoice", args=[CUSTOMER, invoice.number if invoice else "none"]))
        stranger = browser.get(reverse("portal:dashboard", args=["66.249.73.135"]))
        yield Fact("customer sees it", "dashboard shows the plan", "Business" in dashboard.content.decode(), True)
        yield Fact("customer sees it", "invoice shows its total", "151.82" in page.content.decode(), True)
        yield Fact("customer sees it", "another account's page", stranger.status_code, 404)

    def prove(self) -> Iterator[Fact]:
        yield Fact("proof", "broken promises in the whole database", len(list(find_violations())), 0)


def price_business_plan(requests: int, size: int) -> int:
    """Cents, by whole numbers only: 149.00, then 0.03 and 0.02 a request after 200, and 0.00000005 a byte."""
    charged = max(0, requests - 200)
    bandwidth = (size * 5 + 500_000) // 1_000_000
    return 149_00 + min(charged, 50) * 3 + max(0, charged - 50) * 2 + bandwidth


def is_foretold(account_ids: Collection[int]) -> bool:
    """Whether of some window a forecast alarmed before usage reached the limit."""
    alerts = list_alerts(account_ids)
    reached = {
        (a.account_id, a.meter_key, a.start): a.detected_at for a in alerts if a.kind == "usage" and a.level >= 100
    }
    return any(
        alert.kind == "forecast"
        and alert.detected_at < reached.get((alert.account_id, alert.meter_key, alert.start), alert.detected_at)
        for alert in alerts
    )


def is_skilled(report: QualityReport) -> bool:
    skill = report.forecasts[0].score.skill if report.forecasts else None
    return skill is not None and skill > 0


def find_invoice(account_id: int, period_start: datetime) -> InvoiceFact | None:
    return next((each for each in list_invoices(account_id=account_id) if each.period_start == period_start), None)
