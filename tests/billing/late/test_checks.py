import pytest

from billing import invariants
from billing.late.changes import OVERLAP
from billing.models import InvoiceItem, LateChange, LateSettlement
from tests.billing.late.test_settling import NEXT, come_late, make_billed, settle
from tests.billing.makers import HOUR
from tests.billing.test_invariants import triggers_off  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db

BREAKS = {
    "late usage is the difference to what was billed": lambda: LateSettlement.objects.update(
        billed_minor=90, rerated_minor=140
    ),
    "late usage is priced by the frozen version": lambda: LateSettlement.objects.update(quantity=99),
    "late usage is billed by its item": lambda: InvoiceItem.objects.update(
        amount_minor=51, amount_exact="0.51", unit_amount="0.51"
    ),
    "every late change is on record": lambda: LateChange.objects.update(quantity=6),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_what_is_broken_of_late_usage_is_told(rule, triggers_off):  # noqa: F811
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    assert list(invariants.check()) == []
    BREAKS[rule]()
    assert rule in {each.rule for each in invariants.check()}


def test_late_usage_of_a_void_invoice_is_told(triggers_off):  # noqa: F811
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    LateSettlement.objects.get().batch.invoice.__class__.objects.filter(pk=invoice.id).update(state="void")
    assert "of a void invoice no late usage is billed" in {each.rule for each in invariants.check()}


def test_a_change_that_was_passed_over_is_told_once_it_would_not_be_found_any_more(triggers_off):  # noqa: F811
    _, invoice = make_billed(10)
    for hours, count in ((0, 1), (0, 2), (2, 3)):
        come_late(count)
        settle(invoice, at=NEXT + hours * HOUR)
    first, _, last = LateChange.objects.order_by("adjustment_id")
    first.delete()
    assert list(invariants.check()) == []
    LateChange.objects.filter(pk=last.pk).update(adjustment_id=last.adjustment_id + OVERLAP)
    assert "every late change is on record" in {each.rule for each in invariants.check()}
