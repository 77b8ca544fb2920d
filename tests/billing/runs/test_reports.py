from datetime import timedelta
from decimal import Decimal

import pytest

from billing import lifecycle
from billing.models import BillingRunEntry, Period
from billing.runs import reports
from billing.runs.moves import approve_run, read_seen
from billing.runs.opening import open_run
from billing.runs.reports import Choice, CurrencySums, Kind
from billing.subscriptions import open_next_periods
from metering.models import Account
from tests.billing.makers import FEB, HOUR, MAR, MID_JAN, make_plan, use
from tests.billing.runs.makers import (
    CALLS,
    DUE,
    FEE,
    bill,
    break_profile,
    make_customer,
    make_customers,
    make_too_large,
    preview,
    work,
)

pytestmark = pytest.mark.django_db

MID_FEB = FEB + timedelta(days=14)
MARCH_RUN = MAR + HOUR


@pytest.fixture
def february():
    """The preview of February: one customer of each kind, who all paid 10.50 in January but for the new one."""
    make_customers("gone", "less", "more", "same")
    bill()
    lifecycle.cancel(BillingRunEntry.objects.get(account__key="gone").subscription_id, at=FEB)
    make_customer("new", started_at=FEB)
    use("more", sizes=[1] * 6, time=MID_FEB)
    use("same", sizes=[1], time=MID_FEB)
    open_next_periods(MAR)
    return preview(at=MARCH_RUN)


def read(entries):
    return {entry.account.key: (entry.kind, entry.last_minor, entry.figure_minor) for entry in entries}


def list_keys(entries):
    return [entry.account.key for entry in entries]


def test_each_entry_is_new_gone_changed_or_unchanged_against_the_invoice_before(february):
    assert read(reports.list_entries(february)) == {
        "gone": (Kind.GONE, 1_050, 0),
        "less": (Kind.UNCHANGED, 1_050, 1_000),  # 4.8 %
        "more": (Kind.CHANGED, 1_050, 1_300),  # 23.8 %
        "new": (Kind.NEW, None, 1_050),
        "same": (Kind.UNCHANGED, 1_050, 1_050),
    }


@pytest.mark.parametrize(
    ("least", "changed"),
    [("0", {"less", "more"}), ("4.76", {"less", "more"}), ("4.77", {"more"}), ("23.8", {"more"}), ("23.81", set())],
)
def test_changed_is_what_differs_by_at_least_so_many_per_cent(february, least, changed):
    entries = reports.choose(reports.list_entries(february, least_change=Decimal(least)), Choice.CHANGED)
    assert set(list_keys(entries)) == changed


def test_a_tenth_more_is_changed_at_ten_per_cent_exactly():
    make_customers("acme")
    bill()
    use("acme", sizes=[1] * 3, time=MID_FEB)  # 11.50 after 10.50
    open_next_periods(MAR)
    run = preview(at=MARCH_RUN)
    share = Decimal(100) * 100 / 1_050
    for least, kind in [(share - Decimal("0.01"), Kind.CHANGED), (share + Decimal("0.01"), Kind.UNCHANGED)]:
        assert reports.list_entries(run, least_change=least.quantize(Decimal("0.0001"))).get().kind == kind


def test_what_was_nothing_and_is_something_is_changed_whatever_the_share():
    make_plan("usage", prices=[CALLS], limits=())
    make_customer("acme", plan="usage", calls=0)
    bill()
    use("acme", sizes=[1], time=MID_FEB)
    open_next_periods(MAR)
    entry = reports.list_entries(preview(at=MARCH_RUN), least_change=Decimal(1_000)).get()
    assert (entry.last_minor, entry.figure_minor, entry.kind) == (0, 50, Kind.CHANGED)


def test_choices_are_counted_and_hold_what_they_say(february):
    entries = reports.list_entries(february)
    counts = reports.count_choices(entries)
    assert counts == {
        Choice.ALL: 5,
        Choice.FAILED: 0,
        Choice.NEW: 1,
        Choice.GONE: 1,
        Choice.CHANGED: 1,
        Choice.UNCHANGED: 2,
        Choice.DIFFERENT: 0,
        Choice.SKIPPED: 0,
    }
    for choice in Choice:
        assert reports.choose(entries, choice).count() == counts[choice]


def test_failed_is_also_what_could_not_be_previewed():
    make_customers("acme")
    make_too_large("huge")
    run = preview()
    assert list_keys(reports.choose(reports.list_entries(run), Choice.FAILED)) == ["huge"]
    approve_run(run.pk, seen=str(read_seen(run)), at=DUE)
    work()
    assert list_keys(reports.choose(reports.list_entries(run), Choice.FAILED)) == ["huge"]


def test_what_is_billed_otherwise_than_previewed_is_found():
    make_customers("acme", "beta")
    run = preview()
    use("acme", sizes=[1], time=MID_JAN, at=DUE)
    approve_run(run.pk, seen=str(read_seen(run)), at=DUE)
    work()
    assert list_keys(reports.choose(reports.list_entries(run), Choice.DIFFERENT)) == ["acme"]


def test_sums_compare_with_all_that_was_billed_before(february):
    assert reports.sum_entries(february) == [CurrencySums("EUR", 4, 4_200, 4_400, 0, 4_400)]
    assert reports.sum_entries(february)[0].change_minor == 200


def test_each_currency_has_sums_of_its_own():
    make_customers("acme")
    make_plan("dollars", currency="USD", prices=[FEE], limits=())
    make_customer("beta", plan="dollars", calls=0)
    sums = reports.sum_entries(bill())
    assert [(each.currency, each.entries, each.billed_minor) for each in sums] == [("EUR", 1, 1_050), ("USD", 1, 1_000)]


def test_what_is_left_out_is_in_no_sum():
    make_customers("acme", "beta")
    run = open_run(at=DUE, is_approved=True)
    Period.objects.filter(subscription__account__key="acme").delete()
    work()
    assert reports.sum_entries(run) == [CurrencySums("EUR", 1, 0, 0, 1_050, 1_050)]


def test_entries_are_sorted_by_what_is_asked(february):
    entries = reports.list_entries(february)
    assert list_keys(reports.sort(entries, "account")) == ["gone", "less", "more", "new", "same"]
    assert list_keys(reports.sort(entries, "-change")) == ["more", "same", "less", "gone", "new"]
    assert list_keys(reports.sort(entries, "change")) == ["gone", "less", "same", "more", "new"]
    assert list_keys(reports.sort(entries, "-figure"))[0] == "more"
    assert list_keys(reports.sort(entries, "nonsense; DROP")) == ["gone", "less", "more", "new", "same"]


def test_accounts_are_searched_by_key_and_name(february):
    entries = reports.list_entries(february)
    assert list_keys(reports.search(entries, "SAM")) == ["same"]
    assert list_keys(reports.search(entries, "less Ltd")) == ["less"]
    assert reports.search(entries, "").count() == 5


def test_progress_is_of_the_preview_and_then_of_the_invoices(february):
    assert reports.read_progress(february) == reports.Progress(4, 4, 0, 0, 0)
    break_profile("less")
    approve_run(february.pk, seen=str(read_seen(february)), at=MARCH_RUN)
    february.refresh_from_db()
    assert reports.read_progress(february).left == 4
    work(at=MARCH_RUN)
    assert reports.read_progress(february) == reports.Progress(4, 4, 3, 1, 0)


def test_the_file_has_a_row_for_each_entry(february):
    entries = reports.sort(reports.list_entries(february), "account")
    rows = [row.rstrip("\r\n").split(",") for row in reports.write_entries(entries)]
    assert rows[0] == list(reports.COLUMNS)
    assert rows[1] == [
        "gone", "gone Ltd", "small", "2026-02-01 00:00", "2026-03-01 00:00", "EUR", "2026-000001", "10.50", "", "",
        "-10.50", "gone", "gone", "", "",
    ]  # fmt: skip
    assert rows[3][7:13] == ["10.50", "13.00", "", "2.50", "changed", "pending"]


def test_a_name_that_is_a_formula_is_only_text():
    make_customers("acme")
    Account.objects.update(name="=HYPERLINK(1)")
    rows = list(reports.write_entries(reports.list_entries(preview())))
    assert "'=HYPERLINK(1)" in rows[1]


@pytest.mark.parametrize("keys", ["a", "abcd"])
def test_a_page_of_entries_costs_one_statement(django_assert_num_queries, keys):
    make_customers(*keys)
    run = bill()
    with django_assert_num_queries(1):
        for entry in reports.with_names(reports.list_entries(run)):
            assert reports.state_entry(entry)
