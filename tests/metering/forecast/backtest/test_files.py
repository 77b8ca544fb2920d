from datetime import UTC, datetime, timedelta

import pytest

from metering.forecast.backtest.files import read_file, read_folder
from metering.forecast.backtest.settings import BacktestRefused

HOUR = timedelta(hours=1)


def write(folder, text, name="one.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_uneven_stamps_are_summed_into_buckets_and_a_gap_holds_nothing(tmp_path):
    lines = ["2026-01-01 10:59:59,1.5", "2026-01-01 10:00:00,2", "2026-01-01 13:07:00+01:00,4", "2026-01-01 14:00,8"]
    series = read_file(write(tmp_path, "\n".join(["timestamp,value", *lines])), bucket=HOUR)
    assert series.start == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert series.values.tolist() == [3.5, 0.0, 4.0, 0.0, 8.0]


def test_a_folder_is_read_by_name(tmp_path):
    for name in ("b.csv", "a.csv", "notes.txt"):
        write(tmp_path, "timestamp,value\n2026-01-01,1\n", name)
    assert [each.name for each in read_folder(tmp_path, bucket=HOUR)] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line must be"),
        ("time,amount\n1,2\n", "first line must be"),
        ("timestamp,value\n", "no line below its header"),
        ("timestamp,value\n2026-01-01,1\nyesterday,1\n", "line 3: 'yesterday' is no timestamp"),
        ("timestamp,value\n2026-01-01,much\n", "line 2: 'much' is no number"),
        ("timestamp,value\n2026-01-01,-1\n", "line 2: '-1' is no usage"),
        ("timestamp,value\n2026-01-01,nan\n", "line 2: 'nan' is no usage"),
        ("timestamp,value\n2026-01-01\n", "line 2: 1 fields in place of two"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, words):
    with pytest.raises(BacktestRefused, match=words):
        read_file(write(tmp_path, text), bucket=HOUR)


def test_a_folder_without_series_is_refused(tmp_path):
    with pytest.raises(BacktestRefused, match=r"holds no \.csv file"):
        read_folder(tmp_path, bucket=HOUR)
    with pytest.raises(BacktestRefused, match="is not a folder"):
        read_folder(tmp_path / "none", bucket=HOUR)
