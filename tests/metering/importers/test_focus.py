from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from metering.importers import Focus, ImportRefused
from metering.importers.subjects import clean_subject
from metering.models import Account, Event, Meter
from tests.metering.importers.samples import DATA, import_file, read_rejected, read_sums
from tests.metering.makers import make_account

pytestmark = pytest.mark.django_db


def test_subjects_that_cannot_be_keys_become_different_keys() -> None:
    assert clean_subject("acme:eu@1") == "acme:eu@1"
    cleaned = {clean_subject(text) for text in ("a/b", "a b", "/a/b", "é", "x" * 200, "x" * 201)}
    assert len(cleaned) == 6
    assert clean_subject("/subscriptions/8d2f") == "subscriptions-8d2f-f67e3ee2bec8"
    assert all(len(each) <= 120 for each in cleaned)


def test_unknown_subjects_are_named_and_wait_for_their_account() -> None:
    report = import_file(DATA / "focus_aws.csv", Focus(), create_accounts=False)
    assert (report.unmatched, report.unmatched_subjects) == (4, ["444455556666", "777788889999"])
    make_account("444455556666")
    assert import_file(DATA / "focus_aws.csv", Focus(), create_accounts=False).file_unmatched == 1


def test_a_charge_becomes_what_was_consumed() -> None:
    report = import_file(DATA / "focus_aws.csv", Focus())
    assert report.unused == {"ChargeCategory Tax": 1, "ChargeCategory Credit": 1, "the unused part of a commitment": 1}
    assert read_sums() == {
        "focus-amazon-elastic-compute-cloud-hours-quantity": 1,
        "focus-amazon-simple-storage-service-gb-mo-quantity": Decimal("0.9880000002"),
    }
    event = Event.objects.get(type="focus.amazon-elastic-compute-cloud.hours")
    assert (event.subject, event.happened_at) == ("444455556666", datetime(2026, 11, 1, tzinfo=UTC))
    assert event.data["sku"] == "ABCD"
    assert Meter.objects.get(key="focus-amazon-elastic-compute-cloud-hours-quantity").unit == "Hours"


def test_rows_that_are_equal_in_all_are_separate_charges() -> None:
    import_file(DATA / "focus_aws.csv", Focus())
    storage = Event.objects.filter(type="focus.amazon-simple-storage-service.gb-mo", subject="444455556666")
    assert storage.count() == 2


def test_the_report_tells_which_columns_were_used_and_what_stood_in() -> None:
    columns = import_file(DATA / "focus_azure.csv", Focus()).columns
    assert list(columns.used)[:5] == [
        "SubAccountId", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "RegionId",
    ]  # fmt: skip
    assert {"BilledCost", "Tags", "PricingQuantity", "x_SkuMeterName"} < set(columns.ignored)
    assert columns.absent == {"ServiceCategory": "nothing"}


def test_a_charge_without_a_sub_account_is_a_bad_line_that_says_what_to_do() -> None:
    report = import_file(DATA / "focus_azure.csv", Focus())
    assert (report.accepted, report.unused) == (1, {"ChargeCategory Purchase": 1})
    assert read_rejected() == [(4, "names no SubAccountId; see --subject-column")]
    subject = "/subscriptions/8d2f0001-aaaa-bbbb-cccc-000000000001"
    assert Account.objects.get().key == clean_subject(subject)


def test_reports_of_oracle_use_the_names_of_the_preview() -> None:
    report = import_file(DATA / "focus_oracle.csv", Focus())
    assert read_sums() == {"focus-compute-ocpu-hours-quantity": Decimal("14.5")}
    assert report.columns.absent == {
        "ConsumedQuantity": "UsageQuantity",
        "ConsumedUnit": "UsageUnit",
        "RegionId": "Region",
        "CommitmentDiscountStatus": "nothing",
        "ChargeClass": "nothing",
    }
    assert {event.data["region"] for event in Event.objects.all()} == {"eu-paris-1"}
    assert set(Account.objects.values_list("key", flat=True)) == {"ocid1.tenancy.oc1..aaaa"}


def test_columns_that_a_cloud_leaves_out_are_stood_in_for() -> None:
    report = import_file(DATA / "focus_few_columns.csv", Focus())
    assert report.accepted == 1
    assert report.columns.absent["ConsumedQuantity"] == "PricingQuantity"
    assert report.columns.absent["SubAccountId"] == "BillingAccountId"
    assert report.columns.absent["ChargeCategory"] == "every row that has a quantity is usage"
    event = Event.objects.get()
    assert (event.type, event.subject) == ("focus.storage.gb-months", "acme")
    assert event.data == {
        "quantity": 12.5, "unit": "GB-Months", "category": "Storage",
    }  # fmt: skip


def test_a_category_that_focus_does_not_know_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text((DATA / "focus_aws.csv").read_text().replace(",Tax,", ",Toll,"))
    report = import_file(path, Focus())
    assert (report.accepted, report.rejected) == (4, 1)
    assert read_rejected() == [(7, "has the ChargeCategory 'Toll', which FOCUS does not know")]


def test_the_customer_may_be_a_tag() -> None:
    report = import_file(DATA / "focus_aws.csv", Focus("tag:customer"))
    assert (report.accepted, report.rejected) == (3, 1)
    assert set(Account.objects.values_list("key", flat=True)) == {"acme"}


def test_a_table_that_is_not_focus_is_refused() -> None:
    with pytest.raises(ImportRefused, match="no column SubAccountId, ChargePeriodStart, ConsumedQuantity"):
        import_file(DATA / "warehouse_metering_history.csv", Focus())
