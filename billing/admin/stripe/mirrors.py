"""What Stripe has of Palier's: customers, subscriptions and the catalogue."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly
from billing.admin.stripe.showing import link_to_stripe, show_json
from billing.models import StripeCustomer, StripeObject, StripeSubscription

if TYPE_CHECKING:
    CustomerModelAdmin = admin.ModelAdmin[StripeCustomer]
    SubscriptionModelAdmin = admin.ModelAdmin[StripeSubscription]
    ObjectModelAdmin = admin.ModelAdmin[StripeObject]
else:
    CustomerModelAdmin = SubscriptionModelAdmin = ObjectModelAdmin = admin.ModelAdmin


class AtStripe(ReadOnly):
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description=_("id at Stripe"))
    def object_text(self, row: StripeCustomer | StripeSubscription | StripeObject) -> SafeString | str:
        return link_to_stripe(row.stripe_id or "")


@admin.register(StripeCustomer)
class StripeCustomerAdmin(AtStripe, CustomerModelAdmin):
    list_display = ["account", "stripe_id", "card_brand", "card_last4", "card_expires", "problem", "synced_at"]
    list_filter = ["problem"]
    list_select_related = ["account"]
    ordering = ["account__key"]
    search_fields = ["account__key", "account__name", "=stripe_id"]
    search_help_text = _("Search in accounts, and for a customer of Stripe")
    fields = [
        "account", "object_text", "former_ids", "card_brand", "card_last4", "card_expires", "problem",
        "problem_detail", "problem_at", "asked_at", "synced_at",
    ]  # fmt: skip
    readonly_fields = ["object_text"]


@admin.register(StripeSubscription)
class StripeSubscriptionAdmin(AtStripe, SubscriptionModelAdmin):
    list_display = ["subscription", "stripe_id", "version", "status", "starts_at", "ends_at", "closed_at"]
    list_filter = ["status"]
    list_select_related = ["subscription__account", "subscription__version__plan", "version__plan"]
    date_hierarchy = "starts_at"
    ordering = ["-pk"]
    search_fields = ["subscription__account__key", "subscription__account__name", "=stripe_id"]
    search_help_text = _("Search in accounts, and for a subscription of Stripe")
    fields = [
        "subscription", "object_text", "customer_id", "version", "status", "collection_method", "starts_at",
        "trial_ends_at", "anchor", "anchor_day", "ends_at", "closed_at", "items_text",
    ]  # fmt: skip
    readonly_fields = ["object_text", "items_text"]

    @admin.display(description=_("items"))
    def items_text(self, row: StripeSubscription) -> SafeString | str:
        return show_json(row.items)


@admin.register(StripeObject)
class StripeObjectAdmin(AtStripe, ObjectModelAdmin):
    list_display = ["kind", "key", "label", "stripe_id", "is_active", "problem", "synced_at"]
    list_filter = ["kind", "is_active"]
    ordering = ["kind", "pk"]
    search_fields = ["=stripe_id", "=key", "label"]
    search_help_text = _("Search for an id, or in names")
    fields = [
        "kind", "key", "label", "object_text", "former_ids", "is_active", "revision", "told", "problem", "synced_at",
    ]  # fmt: skip
    readonly_fields = ["object_text"]
