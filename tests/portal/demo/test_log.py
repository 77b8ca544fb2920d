from collections import Counter
from datetime import UTC, datetime, timedelta

from portal.demo.log import count_by_client, find_shift, read_requests, write_lines_of


def test_the_log_holds_what_is_known_of_it():
    requests = read_requests()
    counts = count_by_client(requests)
    assert len(requests) == 10_000
    assert len(counts) == 1_753
    assert [count for _client, count in counts.most_common(5)] == [482, 364, 357, 273, 113]
    assert sum(request.bytes for request in requests) == 2_747_282_740


def test_the_heaviest_client_by_bytes_is_not_the_busiest():
    sums: Counter[str] = Counter()
    for request in read_requests():
        sums[request.client] += request.bytes
    assert sums.most_common(1) == [("68.180.224.225", 168_132_893)]


def test_the_shift_puts_the_last_request_at_the_end():
    requests = read_requests()
    end = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC)
    assert max(request.time for request in requests) + find_shift(requests, end=end) == end.replace(microsecond=0)


def test_a_copy_holds_the_lines_of_its_clients_only(tmp_path):
    write_lines_of({"75.97.9.59": "75.97.9.59"}, tmp_path / "copy.log")
    copied = read_requests(tmp_path / "copy.log")
    assert count_by_client(copied) == {"75.97.9.59": 273}


def test_the_shift_is_whole_seconds():
    shift = find_shift(read_requests(), end=datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC))
    assert shift % timedelta(seconds=1) == timedelta(0)
