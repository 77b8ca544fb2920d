"""What to do about a drift, in words, for who runs the back-office."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ADVICE: dict[str, str | Promise] = {
    "invoice_missing": _(
        "Stripe does not ask for an issued invoice. See what Stripe said, put it right, and have it charged."
    ),
    "invoice_total": _(
        "Stripe asks another amount than is due. A draft stays a draft until both are the same; of one that is final,"
        " the rest is asked, or given back. Accept it only where somebody settled the difference by hand."
    ),
    "metered_line": _(
        "Stripe's meters charge a line otherwise than Palier does. See whether usage is missing there, send it again,"
        " and have the invoice compared once more."
    ),
    "invoice_state": _("One side gave up what the other goes on with. Do the same on the other side, or accept it."),
    "invoice_unknown": _(
        "Stripe asks the customer for an invoice that is not Palier's: somebody made it there. Make it void in Stripe,"
        " or accept it."
    ),
    "invoice_stale": _("Stripe moved on and did not say so, or we did not hear. Have it read again."),
    "invoice_gone": _("The invoice is gone in Stripe. A draft is made anew once it is charged again."),
    "credit_note": _("What is given back stands on one side alone. Write the same note on the other, or accept it."),
    "dispute": _("A customer's bank took the money back, or may. Answer in Stripe; what is decided there is followed."),
    "payment": _(
        "One side knows of money that the other does not. Have Stripe read again; where the money came past Stripe, say"
        " so there."
    ),
    "usage_unsent": _(
        "The invoice bills other usage than Stripe's meters were told. What Stripe takes is sent; what is older than 35"
        " days goes onto a line."
    ),
    "usage_failed": _(
        "Stripe refused usage, for the reason that stands there: a meter that is archived, a customer that is gone. Put"
        " that right, then send it again."
    ),
    "usage_late": _("Usage came after Stripe's invoice was final. Palier bills it with the next one."),
    "meter_summary": _(
        "Stripe accepted usage and its meter counts something else. It may show it later; if it does not, send what is"
        " missing, or ask Stripe."
    ),
    "subscription": _(
        "Somebody changed the subscription in Stripe, or it could not be made. Put it back, or have it mirrored anew."
    ),
    "customer": _(
        "The customer is gone in Stripe, or refused. Nothing is told to Stripe until that is settled; usage is kept."
    ),
    "catalogue": _("A price, meter or product was changed in Stripe, or could not be made. It is put right by itself."),
    "call": _(
        "Nobody knows whether Stripe did what it was asked. Look for the object in Stripe by the request's id, then try"
        " the call again."
    ),
}


def explain_drift(kind: str) -> str:
    return str(ADVICE.get(kind, "–"))
