"""What holds for every format: exact, once, whatever interrupts it."""

import csv
import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest

from metering.importers import Focus, ImportRefused, importing
from metering.invariants import check
from metering.models import Event, UsageImport
from tests.metering.children import kill_import, run_child
from tests.metering.importers.samples import NOW, SAMPLES, Sample, import_file, read_sums

pytestmark = pytest.mark.django_db
each_format = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)


@each_format
def test_a_file_comes_out_exact_and_a_second_import_adds_nothing(sample: Sample) -> None:
    first = import_file(sample.path, sample.make())
    sums = read_sums()
    assert (first.accepted, first.rejected, sum(first.unused.values())) == sample.fates
    assert first.lines == sum(sample.fates)
    assert sums
    second = import_file(sample.path, sample.make())
    assert (second.lines, second.new_meters, second.accounts) == (0, [], 0)
    assert (second.file_accepted, second.file_rejected, second.file_unused) == sample.fates
    assert read_sums() == sums
    assert list(check()) == []


@each_format
def test_a_compressed_file_is_the_same_file(sample: Sample, tmp_path: Path) -> None:
    plain = import_file(sample.path, sample.make())
    packed = tmp_path / "export.gz"
    packed.write_bytes(gzip.compress((sample.path).read_bytes()))
    assert import_file(packed, sample.make()).lines == 0
    assert UsageImport.objects.get().source == plain.source


@each_format
def test_after_its_record_is_gone_a_file_is_all_duplicates(sample: Sample) -> None:
    import_file(sample.path, sample.make())
    sums = read_sums()
    UsageImport.objects.all().delete()
    again = import_file(sample.path, sample.make())
    assert (again.accepted, again.duplicates) == (0, sample.fates[0])
    assert read_sums() == sums


@each_format
def test_stopped_after_any_batch_a_file_goes_on_where_it_was(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    original = importing.ImportRun.store
    calls = itertools.count(1)

    def stop_at_every_other(run: importing.ImportRun, *arguments: Any) -> None:
        original(run, *arguments)
        if next(calls) % 2 == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(importing.ImportRun, "store", stop_at_every_other)
    for _ in range(20):
        try:
            report = import_file(sample.path, sample.make(), batch=1)
            break
        except KeyboardInterrupt:
            continue
    assert next(calls) > sum(sample.fates)
    assert (report.file_accepted, report.file_rejected, report.file_unused) == sample.fates
    assert Event.objects.count() == sample.fates[0]


@each_format
def test_a_file_cut_anywhere_and_grown_again_is_read_once(sample: Sample, tmp_path: Path) -> None:
    whole = (sample.path).read_bytes()
    path = tmp_path / sample.file
    step = max(len(whole) // 12, 1)
    for end in [*range(1, len(whole), step), len(whole)]:
        path.write_bytes(whole[:end])
        report = import_file(path, sample.make(), complete=False)
    assert (report.file_accepted, report.file_rejected, report.file_unused) == sample.fates
    assert UsageImport.objects.count() == 1
    assert Event.objects.count() == sample.fates[0]


@each_format
def test_types_that_no_meter_counts_stop_it_before_the_first_line(sample: Sample) -> None:
    with pytest.raises(ImportRefused, match=r"No meter counts the type .* --create-meters"):
        import_file(sample.path, sample.make(), create_meters=False)
    assert not Event.objects.exists()
    assert UsageImport.objects.get().offset == 0
    assert import_file(sample.path, sample.make()).accepted == sample.fates[0]


# Killed, and measured, in a process of its own


def write_export(path: Path, *, rows: int) -> Path:
    """A compressed FOCUS export; each charge's description is three lines, and its quantity its number."""
    with gzip.open(path, "wt", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ChargePeriodStart", "ChargeDescription", "ConsumedQuantity", "ConsumedUnit", "SubAccountId"])
        table.writerows(["2026-11-01T00:00:00Z", 'three\n"lines"\n', n, "GB", f"a{n % 7}"] for n in range(rows))
    return path


@pytest.mark.django_db(transaction=True)
def test_a_table_whose_import_was_killed_twice_comes_out_exact(tmp_path: Path) -> None:
    path = write_export(tmp_path / "export.csv.gz", rows=1_000)
    for where, batches, rows in [("before commit", 4, 300), ("after commit", 3, 600)]:
        kill_import(path, "Focus", where=where, batches=batches, at=NOW, create_meters=True, batch=100)
        assert UsageImport.objects.get().lines == rows == Event.objects.count()
    report = import_file(path, Focus())
    assert (report.lines, report.duplicates, report.file_accepted) == (400, 0, 1_000)
    assert read_sums() == {"focus-usage-gb-quantity": sum(range(1_000))}
    assert list(check()) == []


MEASURED_IMPORTS = """
    import sys
    from datetime import datetime
    from pathlib import Path
    from metering.importers import Focus, import_usage
    for path in sys.argv[2:]:
        at = datetime.fromisoformat(sys.argv[1])
        import_usage(Path(path), format=Focus(), at=at, create_accounts=True, create_meters=True)
        print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no other way to learn a process's peak")
def test_a_large_table_takes_hardly_more_memory_than_a_small_one(tmp_path: Path) -> None:
    small = write_export(tmp_path / "small.csv.gz", rows=1_000)
    large = write_export(tmp_path / "large.csv.gz", rows=20_000)
    child = run_child(MEASURED_IMPORTS, NOW.isoformat(), str(small), str(large))
    assert child.returncode == 0, child.stderr
    peak_small, peak_large = (int(kilobytes) for kilobytes in child.stdout.split())
    assert peak_large - peak_small < 20_000, f"{peak_small} kB, then {peak_large} kB"
