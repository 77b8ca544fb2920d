"""Each message is sent once, whoever dies when; what cannot be sent is tried again, and told in the log."""

import smtplib
from collections.abc import Callable
from datetime import timedelta
from email.message import Message

import pytest
from django.core import mail

from jobs.models import Job
from metering.models import Delivery
from metering.notices import sending
from metering.notices.recipients import Recipient
from tests.metering.notices.makers import NOON, OLIVIA, do_jobs, hearing, make_alert, raise_alert

LATER = NOON + timedelta(hours=2)  # a lease has run out by then, and any backoff


@pytest.fixture
def delivery(transactional_db: None) -> Delivery:
    """One that waits to be sent, to Olivia."""
    raise_alert(make_alert())
    with hearing(OLIVIA):
        do_jobs("metering.tell")
    return Delivery.objects.get()


def break_handing_over(monkeypatch: pytest.MonkeyPatch, *, before: bool, error: BaseException) -> None:
    """Let the first hand-over die, before or after the mail is out."""
    hand_over, calls = sending.hand_over, []

    def fail_once(*arguments: object, **names: object) -> object:
        calls.append(1)
        if len(calls) > 1:
            return hand_over(*arguments, **names)
        if not before:
            hand_over(*arguments, **names)
        raise error

    monkeypatch.setattr(sending, "hand_over", fail_once)


def test_a_message_is_sent_and_marked_so(delivery):
    assert do_jobs("metering.deliver") == ["done"]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.sent_at, delivery.attempts, delivery.error) == ("sent", NOON, 1, "")
    [sent] = mail.outbox
    assert sent.to == ["olivia@example.com"]
    assert sent.extra_headers["Message-ID"] == f"<{delivery.token}@palier>"
    assert [kind for _, kind in sent.alternatives] == ["text/html"]


def test_a_job_that_is_done_twice_sends_once(delivery):
    do_jobs("metering.deliver")
    assert sending.send_delivery(delivery.pk, is_last=False, at=LATER) is None
    assert len(mail.outbox) == 1


def test_a_worker_that_dies_before_the_hand_over_has_it_sent_once(delivery, monkeypatch):
    """The kill is a SystemExit, which nothing records: the rows stay as a dead worker leaves them."""
    break_handing_over(monkeypatch, before=True, error=SystemExit())
    with pytest.raises(SystemExit):
        do_jobs("metering.deliver")
    delivery.refresh_from_db()
    assert (delivery.state, len(mail.outbox)) == ("sending", 0)

    restart()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, len(mail.outbox)) == ("sent", 2, 1)


def test_a_worker_that_dies_after_the_hand_over_has_it_sent_again_under_the_same_message_id(delivery, monkeypatch):
    break_handing_over(monkeypatch, before=False, error=SystemExit())
    with pytest.raises(SystemExit):
        do_jobs("metering.deliver")

    restart()

    assert [each.extra_headers["Message-ID"] for each in mail.outbox] == [f"<{delivery.token}@palier>"] * 2
    delivery.refresh_from_db()
    assert delivery.state == "sent"


def restart() -> None:
    """After the lease of the dead ran out the sweeper would find the job; so do we."""
    Job.objects.filter(kind="metering.deliver", state="running").update(
        state="queued", lease_token=None, lease_until=None, run_at=LATER
    )
    do_jobs("metering.deliver", at=LATER)


def test_a_server_that_refuses_is_asked_again_and_the_log_says_why(delivery, monkeypatch):
    break_handing_over(monkeypatch, before=True, error=smtplib.SMTPServerDisconnected("come back later"))
    assert do_jobs("metering.deliver") == ["queued"]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("queued", "SMTPServerDisconnected: come back later")

    assert do_jobs("metering.deliver", at=LATER) == ["done"]

    delivery.refresh_from_db()
    assert (delivery.state, delivery.error, delivery.attempts) == ("sent", "", 2)


def test_after_the_last_attempt_it_has_failed(delivery, monkeypatch):
    break_handing_over(monkeypatch, before=True, error=OSError("no route"))
    Job.objects.filter(kind="metering.deliver").update(attempts=sending.ATTEMPTS - 1)
    assert do_jobs("metering.deliver") == ["dead"]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("failed", "OSError: no route")


@pytest.fixture
def write() -> Callable[..., Message]:
    """The mail as it goes out, of an account of that name."""

    def write(name: str, **fields: str) -> Message:
        alert = make_alert()
        type(alert.account).objects.filter(pk=alert.account_id).update(name=name)
        raise_alert(alert)
        with hearing(Recipient("olivia@example.com", **fields)):
            do_jobs("metering.tell")
            do_jobs("metering.deliver")
        [sent] = mail.outbox
        return sent.message()

    return write


@pytest.mark.django_db(transaction=True)
def test_a_name_with_line_breaks_begins_no_header_of_its_own(write):
    message = write("Acme\r\nBcc: eve@example.com\u2028X-Mine: 1")
    assert message["Bcc"] is None
    assert message["X-Mine"] is None
    assert Delivery.objects.get().subject.endswith("– Acme Bcc: eve@example.com X-Mine: 1")


@pytest.mark.django_db(transaction=True)
def test_names_are_text_and_no_markup_in_html_and_stand_as_they_are_in_text(write):
    write('<img src="x"> & Söhne')
    [sent] = mail.outbox
    html = sent.alternatives[0][0]
    assert "&lt;img src=&quot;x&quot;&gt; &amp; Söhne" in html
    assert "<img" not in html
    assert '<img src="x"> & Söhne' in sent.body


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_can_be_ended_says_how_to_people_and_to_programs(write):
    message = write("Acme", unsubscribe_url="https://palier.example/stop/1/")
    assert message["List-Unsubscribe"] == "<https://palier.example/stop/1/>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "No more of these mails: https://palier.example/stop/1/" in mail.outbox[0].body


@pytest.mark.django_db(transaction=True)
def test_nothing_in_a_mail_is_fetched_from_elsewhere(write):
    write("Acme", page_url="https://palier.example/a/acme/alerts/")
    html = mail.outbox[0].alternatives[0][0]
    assert "src=" not in html
    assert "url(" not in html
    assert "<script" not in html
