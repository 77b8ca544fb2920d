from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils.translation import override

from billing.models import DriftAct, DriftState, StripeDrift, StripeDriftMove
from billing.stripe.drifts import DriftClosed, accept_drift, close_drift, is_accepted, open_drift
from tests.billing.threads import run_together

AT = datetime(2026, 2, 1, 2, tzinfo=UTC)
LATER = AT + timedelta(days=1)
CENT = {"ours": "10.00 EUR", "theirs": "9.99 EUR", "difference_minor": 1, "currency": "EUR"}


def drift(at=AT, key="invoice 7", **figures):
    return open_drift("invoice_total", key, account_id=None, cause="A tie.", at=at, **(CENT | figures))


@pytest.fixture
def person(db):
    return get_user_model().objects.create_user(email="ann@vendor.example", password=None)


def acts(row):
    return list(row.moves.values_list("act", flat=True))


@pytest.mark.django_db
def test_what_is_found_again_is_the_same_drift_seen_later():
    first, second = drift(), drift(LATER)
    assert first.pk == second.pk
    assert (second.opened_at, second.seen_at) == (AT, LATER)
    assert acts(second) == [DriftAct.OPENED]


@pytest.mark.django_db
def test_another_figure_is_a_change_of_the_same_drift():
    drift()
    changed = drift(LATER, theirs="9.98 EUR", difference_minor=2)
    assert (changed.theirs, changed.difference_minor) == ("9.98 EUR", 2)
    assert acts(changed) == [DriftAct.OPENED, DriftAct.CHANGED]


@pytest.mark.django_db
def test_a_drift_is_repaired_once_and_another_may_follow():
    first = drift()
    assert close_drift("invoice_total", "invoice 7", at=LATER, note="They agree.")
    assert not close_drift("invoice_total", "invoice 7", at=LATER)
    first.refresh_from_db()
    assert (first.state, first.closed_at, first.closed_by_id) == (DriftState.REPAIRED, LATER, None)
    assert drift(LATER).pk != first.pk


def test_what_is_accepted_is_not_opened_again_unless_it_changes(person):
    row = accept_drift(drift().pk, by=person.pk, reason="A cent.", at=AT)
    assert is_accepted("invoice_total", "invoice 7", ours="10.00 EUR", theirs="9.99 EUR")
    assert drift(LATER).pk == row.pk
    other = drift(LATER, theirs="9.90 EUR", difference_minor=10)
    assert (other.pk != row.pk, other.state) == (True, DriftState.OPEN)
    assert not is_accepted("invoice_total", "invoice 7", ours="10.00 EUR", theirs="9.99 EUR")


def test_nobody_accepts_without_a_reason_or_what_is_closed(person):
    row = drift()
    with pytest.raises(ValueError, match="for a reason"):
        accept_drift(row.pk, by=person.pk, reason="  ", at=AT)
    close_drift("invoice_total", "invoice 7", at=AT)
    with (
        override("fr"),
        pytest.raises(DriftClosed, match=r"^ce que demande une facture \(invoice 7\)\s: déjà corrigé\.$"),
    ):
        accept_drift(row.pk, by=person.pk, reason="Late.", at=LATER)


@pytest.mark.django_db
@pytest.mark.parametrize("spoil", [{"cause": "Another."}, {"state": DriftState.OPEN, "closed_at": None}])
def test_a_closed_drift_never_changes(spoil):
    row = drift()
    close_drift("invoice_total", "invoice 7", at=AT)
    with pytest.raises(IntegrityError, match="closed"), transaction.atomic():
        StripeDrift.objects.filter(pk=row.pk).update(**spoil)


@pytest.mark.django_db
def test_its_history_is_only_added_to():
    drift()
    with pytest.raises(IntegrityError), transaction.atomic():
        StripeDriftMove.objects.update(note="Nothing happened.")


@pytest.mark.django_db(transaction=True)
def test_who_finds_it_at_the_same_time_finds_one_drift():
    found = run_together(lambda: drift().pk, lambda: drift().pk, lambda: drift().pk)
    assert len(set(found)) == 1
    assert StripeDrift.objects.count() == 1
