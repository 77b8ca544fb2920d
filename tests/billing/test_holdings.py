import pytest

from billing.holdings import LARGEST_QUANTITY, Held, InvalidSeats, check_seats


@pytest.mark.parametrize("seats", [0, -1, LARGEST_QUANTITY + 1, True, "3", None])
def test_seats_are_whole_and_at_least_one(seats):
    with pytest.raises(InvalidSeats):
        check_seats(seats)


def test_as_many_seats_as_can_be_had_are_taken():
    assert [check_seats(seats) for seats in (1, LARGEST_QUANTITY)] == [1, LARGEST_QUANTITY]


def test_there_is_one_seat_unless_told():
    assert Held().seat_quantity == 1
