"""What an alert may be about, in words for lists and filters."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KINDS: dict[str, Promise] = {
    "usage": _("usage"),
    "forecast": _("forecast"),
    "spend": _("spend"),
    "budget": _("budget of the customer's own"),
    "credit": _("credit balance"),
    "commitment": _("pace of the commitment"),
    "anomaly": _("anomaly"),
}
