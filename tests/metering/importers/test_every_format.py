"""What holds for every format: exact, once, whatever interrupts it."""

import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest

from metering.importers import ImportRefused, importing
from metering.invariants import check
from metering.models import Event, UsageImport
from tests.metering.importers.samples import SAMPLES, Sample, import_file, read_sums

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
