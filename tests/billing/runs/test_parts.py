from billing.runs.parts import cut_parts, name_part, name_retry


def cut(counts, size):
    """Parts as lists of accounts, of accounts that have so many items each."""
    items = [(account, account) for account, count in enumerate(counts) for _ in range(count)]
    return [list(part) for part in cut_parts(items, size=size)]


def test_parts_are_filled_up_to_their_size():
    assert cut([1, 1, 1, 1, 1], size=2) == [[0, 1], [2, 3], [4]]


def test_what_an_account_has_stays_together():
    assert cut([1, 2, 1], size=2) == [[0], [1, 1], [2]]


def test_an_account_with_more_than_a_part_holds_has_one_of_its_own():
    assert cut([1, 3, 1], size=2) == [[0], [1, 1, 1], [2]]


def test_nothing_makes_no_part():
    assert cut([], size=2) == []


def test_the_names_of_parts_and_retries_differ():
    assert (name_part(7, 3), name_retry(7, 1, 3)) == ("7:3", "7:retry 1:account 3")
