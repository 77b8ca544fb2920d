"""Reminders of invoices that are not paid: by a schedule of days, each promised as a job and sent once."""

from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext

from billing import profiles
from billing.models import Invoice, InvoiceState, Reminder, StripeInvoice
from billing.moves import lock_invoice, read_standing
from billing.wording import display_money
from jobs import queue

REMIND = "billing.remind"


class DunningState(StrEnum):
    SETTLED = "settled"  # nothing is due, or nobody expects it any more
    WAITING = "waiting"  # the first reminder is still to come
    REMINDED = "reminded"
    EXHAUSTED = "exhausted"  # the last reminder is out: a person decides what comes next
    COLLECTING = "collecting"  # Stripe asks or will try again by itself: two would remind of the same


class NoReminderLeft(ValueError):
    """Nothing is due of the invoice, its last reminder is out, or Stripe collects it."""


# A draft that is on its way, or an open one with another attempt ahead. One that stopped is for people; of one that
# Stripe gave up, or that nobody's card is behind, we remind.
STRIPE_COLLECTS = Q(state="draft") & ~Q(step="stopped") | Q(state="open", next_attempt_at__isnull=False)


def read_dunning(invoice: Invoice) -> DunningState:
    if invoice.state != InvoiceState.ISSUED or read_standing(invoice).open_minor <= 0:
        return DunningState.SETTLED
    if invoice.stripe_invoices.filter(STRIPE_COLLECTS).exists():
        return DunningState.COLLECTING
    last = invoice.reminders.order_by("-number").values_list("number", flat=True).first() or 0
    if last >= len(settings.BILLING_REMINDERS):
        return DunningState.EXHAUSTED
    return DunningState.REMINDED if last else DunningState.WAITING


def enqueue_reminders(at: datetime) -> int:
    """Promise the reminder that is due of each invoice, by settings.BILLING_REMINDERS, counted from its issue.

    Of several that are overdue only the last goes out. Returns how many are new; a second call promises nothing more.
    """
    promised, schedule = 0, settings.BILLING_REMINDERS
    for number, (after, until) in enumerate(zip(schedule, [*schedule[1:], None], strict=True), start=1):
        due = Invoice.objects.filter(state=InvoiceState.ISSUED, due_minor__gt=0, issued_at__lte=at - after)
        due = due.filter(~Exists(StripeInvoice.objects.filter(STRIPE_COLLECTS, invoice=OuterRef("pk"))))
        if until is not None:
            due = due.filter(issued_at__gt=at - until)
        for invoice_id in due.exclude(reminders__number__gte=number).order_by("pk").values_list("pk", flat=True):
            payload = {"invoice": invoice_id, "number": number}
            promised += queue.enqueue(REMIND, f"{invoice_id}:{number}", payload, at=at)
    return promised


def enqueue_next_reminder(invoice_id: int, *, at: datetime) -> int:
    """Promise the reminder that comes next now, before its day; its number. A second call before it is out promises
    nothing more. Raises NoReminderLeft.
    """
    invoice = Invoice.objects.get(pk=invoice_id)
    if read_dunning(invoice) not in (DunningState.WAITING, DunningState.REMINDED):
        text = gettext("Of invoice %(invoice)s nothing is due, or its last reminder is out.")
        raise NoReminderLeft(text % {"invoice": invoice})
    number = 1 + (invoice.reminders.order_by("-number").values_list("number", flat=True).first() or 0)
    queue.enqueue(REMIND, f"{invoice_id}:{number}", {"invoice": invoice_id, "number": number}, at=at)
    return number


@transaction.atomic
def remind(invoice_id: int, number: int, *, at: datetime) -> bool:
    """Send it, unless the invoice is settled by now or was reminded of so often. Whether it was sent.

    A run that dies after the mail and before its commit sends it again, under the same Message-ID.
    """
    invoice = lock_invoice(invoice_id)
    is_late = invoice.reminders.filter(number__gte=number).exists()
    if is_late or read_dunning(invoice) in (DunningState.SETTLED, DunningState.COLLECTING):
        return False
    email = profiles.read_profile(invoice.account_id).email
    Reminder.objects.create(invoice=invoice, number=number, email=email, sent_at=at)
    if email:
        write_mail(invoice, number, email).send()
    return True


def write_mail(invoice: Invoice, number: int, email: str) -> EmailMessage:
    values = {
        "number": invoice.number,
        "customer": invoice.customer_name,
        "amount": display_money(read_standing(invoice).open_minor, invoice.currency),
        "date": f"{invoice.issued_at:%Y-%m-%d}",
    }
    body = gettext("%(customer)s, of invoice %(number)s of %(date)s %(amount)s is still due.") % values
    pages = invoice.stripe_invoices.filter(state="open").exclude(hosted_invoice_url="").order_by("pk")
    for page in pages.values_list("hosted_invoice_url", flat=True):
        body += "\n\n" + gettext("It can be paid here: %(page)s") % {"page": page}
    return EmailMessage(
        subject=gettext("Reminder: invoice %(number)s") % values,
        body=body,
        to=[email],
        headers={"Message-ID": f"<reminder-{invoice.pk}-{number}@palier>"},
    )
