import gzip
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from metering.models import Account, Event, RejectedLine
from metering.usage import read_series
from tests.metering.importers.samples import DATA

LINE = '{} - - [17/May/2015:10:05:{:02} +0000] "GET / HTTP/1.1" 200 1500 "-" "Agent"\n'

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text("".join(LINE.format(f"10.0.0.{n % 3}", n) for n in range(30)))
    return path


def run(*arguments: object, format: str = "access-log") -> None:
    call_command("import_usage", format, *map(str, arguments))


def test_it_says_what_it_did_and_the_second_time_that_nothing_is_new(log, capsys):
    run(log, "--create-accounts", "--source", "edge")
    assert capsys.readouterr().out.splitlines()[:10] == [
        "access.log as edge, times shifted by nothing",
        "Made the meters it is counted by: requests, bandwidth.",
        "                    this run     file so far",
        "lines                     30              30",
        "accepted                  30              30",
        "duplicates                 0               0",
        "rejected                   0               0",
        "unmatched                  0               0",
        "accounts                   3",
        "bytes served          45,000",
    ]
    run(log, "--create-accounts", "--source", "edge")
    again = capsys.readouterr().out.splitlines()
    assert again[2:4] == [
        "lines                      0              30",
        "accepted                   0              30",
    ]


def test_it_shows_twenty_bad_lines_and_counts_the_rest(log, capsys):
    log.write_text(log.read_text() + "garbage\n" * 25)
    run(log, "--create-accounts")
    shown = capsys.readouterr().out.splitlines()
    assert "Line 31 does not begin with client, identity and user: garbage" in shown
    assert sum(line.startswith("Line ") for line in shown) == 20
    assert "… and 5 more bad lines, all stored as rejected lines." in shown
    assert RejectedLine.objects.count() == 25


def test_without_accounts_it_says_what_waits(log, capsys):
    run(log)
    shown = capsys.readouterr().out
    assert "unmatched                 30              30" in shown
    assert "--create-accounts makes them all" in shown
    assert not Account.objects.exists()


def test_it_says_that_a_last_line_waits(log, capsys):
    log.write_text(log.read_text()[:-1])
    run(log, "--create-accounts")
    assert "The last line has no newline yet" in capsys.readouterr().out
    run(log, "--create-accounts", "--complete")
    assert "lines                      1              30" in capsys.readouterr().out


def test_the_first_shift_stays_and_it_says_so(log, capsys):
    run(log, "--create-accounts", "--shift-seconds", 3600)
    run(log, "--create-accounts", "--shift-seconds", 7200)
    assert "The shift is that of the first run, 3600 s, not 7200 s." in capsys.readouterr().out


def test_times_can_be_moved_to_now(log, time_machine):
    time_machine.move_to("2026-11-22T12:00:00Z", tick=False)
    run(log, "--create-accounts", "--shift-to-now")
    account = Account.objects.get(key="10.0.0.2")
    noon = account.created_at
    [point] = read_series(
        account_id=account.pk,
        meter_key="requests",
        start=noon.replace(hour=11),
        end=noon.replace(hour=12, minute=0, second=1),
        bucket="day",
    )
    assert point.quantity == 10


def test_it_reads_compressed_files(log, capsys):
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    run(packed, "--create-accounts")
    assert "lines                     30              30" in capsys.readouterr().out


def test_off_a_terminal_progress_is_plain_lines(log, capsys, monkeypatch):
    monkeypatch.setattr("metering.management.commands.import_usage.PLAIN_SECONDS", 0)
    run(log, "--create-accounts", "--batch", 10)
    assert capsys.readouterr().err.splitlines()[-1] == "access.log: 100 %, 30 lines"


def test_on_a_terminal_progress_is_a_bar(log, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(log, "--create-accounts")
    bar = capsys.readouterr().err
    assert "access.log: 100%" in bar
    assert "2.40k/2.40k" in bar


def test_an_interruption_is_no_error_and_the_next_run_goes_on(log, capsys, monkeypatch):
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metering.importers.importing.sort_fates", interrupt)
        with pytest.raises(CommandError, match="Run it again") as stop:
            run(log, "--create-accounts")
    assert stop.value.returncode == 130
    run(log, "--create-accounts")
    assert "accepted                  30              30" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["missing", "folder", "cut gzip"])
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path, damage):
    path = tmp_path / "access.log"
    if damage == "folder":
        path.mkdir()
    if damage == "cut gzip":
        path.write_bytes(gzip.compress(b"x" * 3_000)[:15])
    with pytest.raises(CommandError, match=r"access\.log (cannot be read: No such file|is no file|is damaged)"):
        run(path)


@pytest.mark.parametrize(
    "options",
    [
        ["--batch", "0"],
        ["--batch", "many"],
        ["--max-age-days", "-1"],
        ["--shift-seconds", "1e9"],
        ["--shift-seconds", "99999999999999999999"],
        ["--shift-seconds", "1", "--shift-to-now"],
    ],
)
def test_options_that_make_no_sense_are_refused(log, options):
    with pytest.raises(CommandError):
        run(log, *options)


# Other formats


@pytest.mark.parametrize(
    ("format", "file", "options", "accepted"),
    [
        ("csv", "calls.csv", ["--mapping", DATA / "calls.json"], 2),
        ("ndjson", "events.ndjson", [], 2),
        ("focus", "focus_aws.csv", ["--subject-column", "tag:customer"], 3),
        ("snowflake-queries", "query_history.csv", ["--subject-column", "USER_NAME"], 3),
        ("snowflake-warehouses", "warehouse_metering_history.csv", ["--origin", "snow/eu", "--zone", "UTC"], 3),
    ],
)
def test_each_format_can_be_imported(format, file, options, accepted, capsys):
    for _ in range(2):
        run(DATA / file, *options, "--create-accounts", "--create-meters", format=format)
    assert f"accepted                   0{accepted:>16}" in capsys.readouterr().out
    assert Event.objects.count() == accepted


def test_it_tells_which_columns_and_lines_of_a_table_were_used(capsys):
    run(DATA / "focus_oracle.csv", "--create-meters", format="focus")
    assert capsys.readouterr().out.splitlines()[1:11] == [
        "Made the meters it is counted by: focus-compute-ocpu-hours-quantity.",
        "Columns used: SubAccountId, ChargePeriodStart, UsageQuantity, UsageUnit, Region, ChargeCategory, ServiceName, "
        "ServiceCategory, SkuId, ResourceId, ResourceType, ChargePeriodEnd.",
        "Columns not used: AvailabilityZone, BilledCost, BillingAccountId, BillingAccountName, BillingCurrency, "
        "BillingPeriodEnd, BillingPeriodStart, ChargeDescription, ChargeFrequency, ChargeSubcategory, "
        "CommitmentDiscountCategory, CommitmentDiscountId, CommitmentDiscountName, CommitmentDiscountType, "
        "EffectiveCost, InvoiceIssuer, ListCost, ListUnitPrice, PricingCategory, PricingQuantity, PricingUnit, "
        "Provider, Publisher, ResourceName, SkuPriceId, SubAccountName, Tags, oci_ReferenceNumber, oci_CompartmentId, "
        "oci_CompartmentName, oci_OverageFlag, oci_UnitPriceOverage, oci_BilledQuantityOverage, oci_CostOverage, "
        "oci_AttributedUsage, oci_AttributedCost, oci_BackReferenceNumber.",
        "Columns absent (what stood in): ConsumedQuantity (UsageQuantity), ConsumedUnit (UsageUnit), "
        "RegionId (Region), CommitmentDiscountStatus (nothing), ChargeClass (nothing).",
        "                    this run     file so far",
        "lines                      2               2",
        "accepted                   0               0",
        "duplicates                 0               0",
        "rejected                   0               0",
        "unmatched                  2               2",
    ]
    run(DATA / "focus_azure.csv", "--create-meters", "--create-accounts", format="focus")
    shown = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Line 4 names no SubAccountId; see --subject-column: 0.5,/providers/") for line in shown)
    assert "Not used, ChargeCategory Purchase: 1" in shown
    assert "not used                   1               1" in shown


def test_it_tells_which_meters_could_not_use_a_line(tmp_path, capsys):
    path = tmp_path / "queries.csv"
    path.write_text((DATA / "query_history.csv").read_text().replace('"0.5"', '""'))
    run(path, "--create-meters", "--create-accounts", format="snowflake-queries")
    said = "Kept, but without a value that snowflake-queries-cloud-services-credits could use: 1"
    assert said in capsys.readouterr().out.splitlines()


def test_it_names_the_subjects_that_are_no_account(capsys):
    run(DATA / "focus_oracle.csv", "--create-meters", format="focus")
    assert "No account is called ocid1.tenancy.oc1..aaaa." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("format", "options", "complaint"),
    [
        ("csv", [], "csv needs --mapping FILE.json"),
        ("focus", ["--mapping", DATA / "calls.json"], "--mapping is for csv only"),
        ("ndjson", ["--subject-column", "x"], "--subject-column is for focus, snowflake-queries"),
        ("focus", ["--zone", "UTC"], "--zone is for snowflake-queries"),
        ("snowflake-queries", ["--zone", "Mars/Base"], "is no time zone"),
        ("csv", ["--mapping", DATA / "none.json"], r"none\.json cannot be read"),
        ("csv", ["--mapping", DATA / "calls.csv"], "cannot be used"),
        ("focus", [], "No meter counts the type focus"),
        ("focus", ["--source", "x" * 300], "more than 200 characters"),
        ("parquet", [], "invalid choice"),
    ],
)
def test_options_of_other_formats_and_missing_ones_are_refused(format, options, complaint):
    with pytest.raises(CommandError, match=complaint):
        run(DATA / "focus_aws.csv", *options, format=format)
    assert not Event.objects.exists()
