"""What was asked of Stripe, with its request ids: what it answered, refused, and what nobody knows the outcome of."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly
from billing.admin.stripe.showing import link_to_stripe, show_json
from billing.models import StripeCall

if TYPE_CHECKING:
    CallModelAdmin = admin.ModelAdmin[StripeCall]
else:
    CallModelAdmin = admin.ModelAdmin


@admin.register(StripeCall)
class StripeCallAdmin(ReadOnly, CallModelAdmin):
    list_display = ["operation", "key", "state", "error_code", "attempts", "first_sent_at"]
    list_filter = ["state", "operation"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "created_at"
    ordering = ["-pk"]
    search_fields = ["=stripe_id", "=request_id", "=idempotency_key", "key"]
    search_help_text = _("Search for an id of Stripe, of a request, or in keys")
    fields = [
        "operation", "key", "state", "object_text", "request_text", "status", "error_code", "error_param",
        "error_message", "attempts", "idempotency_key", "former_keys", "created_at", "first_sent_at", "answered_at",
        "params_text", "answer_text",
    ]  # fmt: skip
    readonly_fields = ["object_text", "request_text", "params_text", "answer_text"]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    @admin.display(description=_("id at Stripe"))
    def object_text(self, call: StripeCall) -> SafeString | str:
        return link_to_stripe(call.stripe_id)

    @admin.display(description=_("request id"))
    def request_text(self, call: StripeCall) -> SafeString | str:
        return link_to_stripe(call.request_id)

    @admin.display(description=_("parameters"))
    def params_text(self, call: StripeCall) -> SafeString | str:
        return show_json(call.params)

    @admin.display(description=_("answer"))
    def answer_text(self, call: StripeCall) -> SafeString | str:
        return show_json(call.answer)
