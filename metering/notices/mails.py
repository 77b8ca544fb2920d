"""The mail in which alerts are told: plain text, and the same as simple HTML without anything to be fetched."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from metering.alerts.facts import AlertFact
from metering.models import Occasion
from metering.notices.recipients import Recipient
from metering.notices.words import NO_BREAK, AlertWords, say_recovery, word_alert

SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """What will be sent, whole."""

    subject: str
    text: str
    html: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One alert within a mail."""

    title: str
    paragraphs: tuple[str, ...]
    severity: str


def write_mail(told: Sequence[tuple[AlertFact, str]], recipient: Recipient, *, account_name: str) -> Draft:
    """One mail of some alerts of one account, each with its occasion, the gravest first, in the reader's language."""
    name = keep_line(account_name)
    with translation.override(recipient.language):
        parts = [
            write_part(word_alert(fact, can_upgrade=recipient.can_upgrade), fact, occasion) for fact, occasion in told
        ]
        subject = f"{parts[0].title} – {name}"
        if len(parts) > 1:
            count = ngettext("%(count)d alert", "%(count)d alerts", len(parts)) % {"count": len(parts)}
            title = _("%(count)s: %(first)s") % {"count": count, "first": parts[0].title}
            subject = f"{title} – {name}"
        values = {
            "parts": parts,
            "account_name": name,
            "page_url": recipient.page_url,
            "upgrade_url": recipient.upgrade_url if recipient.can_upgrade else "",
            "unsubscribe_url": recipient.unsubscribe_url,
            "language": recipient.language,
        }
        text = render_to_string("metering/notice.txt", values).strip() + "\n"
        html = render_to_string("metering/notice.html", values)
    plain = keep_line(subject).replace(NO_BREAK, " ")[:SUBJECT_LENGTH]
    return Draft(plain, text, html, list_headers(recipient))


def write_part(words: AlertWords, fact: AlertFact, occasion: str) -> Part:
    title, first = words.title, ""
    if occasion == Occasion.RECOVERED:
        title, first = _("Over: %(alert)s") % {"alert": words.title}, say_recovery(fact)
    elif occasion == Occasion.REMINDED:
        title = _("Still: %(alert)s") % {"alert": words.title}
    elif occasion == Occasion.TEST:
        title, first = _("Test: %(alert)s") % {"alert": words.title}, _("This is a test: nothing has happened.")
    paragraphs = tuple(filter(None, (first, *words.paragraphs)))
    return Part(keep_line(title), tuple(map(keep_line, paragraphs)), words.severity)


def keep_line(text: str) -> str:
    """One line of what can be printed: a name with a line break in it cannot begin a header of its own."""
    printable = "".join(sign if sign.isprintable() or sign == NO_BREAK else " " for sign in text)
    return " ".join(filter(None, printable.split(" ")))


def list_headers(recipient: Recipient) -> dict[str, str]:
    """RFC 2369 and RFC 8058: programs show a button that ends these mails. RFC 3834: nobody's absence is to answer."""
    headers = {"Auto-Submitted": "auto-generated"}
    if recipient.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{recipient.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
