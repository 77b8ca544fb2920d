"""Plain series from CSV files: `timestamp,value`, at any step, uneven or with gaps."""

import csv
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from metering.forecast.backtest.settings import BacktestRefused
from metering.forecast.maths import Series

COLUMNS = ["timestamp", "value"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NamedSeries:
    name: str
    series: Series


def read_folder(folder: Path, *, bucket: timedelta) -> list[NamedSeries]:
    """Every CSV of a folder, by name. Raises BacktestRefused, which names the file and the line."""
    if not folder.is_dir():
        raise BacktestRefused(f"{folder} is not a folder")
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise BacktestRefused(f"{folder} holds no .csv file")
    return [NamedSeries(file.stem, read_file(file, bucket=bucket)) for file in files]


def read_file(file: Path, *, bucket: timedelta) -> Series:
    """Sum the values of each bucket; buckets begin where whole numbers of them have passed since 1970 in UTC.

    A bucket between the first and the last that no line falls into holds nothing.
    """
    totals: dict[int, float] = {}
    with file.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.reader(lines)
        header = next(rows, None)
        if header is None or [name.strip() for name in header] != COLUMNS:
            raise BacktestRefused(f"{file}: the first line must be `timestamp,value`")
        for row in rows:
            if row:
                stamp, value = read_row(row, where=f"{file}, line {rows.line_num}")
                place = (stamp - EPOCH) // bucket
                totals[place] = totals.get(place, 0.0) + value
    if not totals:
        raise BacktestRefused(f"{file} has no line below its header")
    first = min(totals)
    values = np.zeros(max(totals) - first + 1)
    for place, total in totals.items():
        values[place - first] = total
    return Series(EPOCH + first * bucket, bucket, values)


def read_row(row: list[str], *, where: str) -> tuple[datetime, float]:
    """A stamp without an offset is in UTC."""
    if len(row) != len(COLUMNS):
        raise BacktestRefused(f"{where}: {len(row)} fields in place of two")
    try:
        stamp = datetime.fromisoformat(row[0].strip())
    except ValueError:
        raise BacktestRefused(f"{where}: {row[0]!r} is no timestamp, as 2026-11-26 14:30:00") from None
    try:
        value = float(row[1])
    except ValueError:
        raise BacktestRefused(f"{where}: {row[1]!r} is no number") from None
    if not math.isfinite(value) or value < 0:
        raise BacktestRefused(f"{where}: {row[1]!r} is no usage; usage is finite and not negative")
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC), value
