"""What forms about one account share: whose it is, by name, and which of its subscriptions."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import LIVE, Plan, Subscription
from metering.accounts import UnknownAccount, find_account, read_accounts


class AccountForm(forms.Form):
    account = forms.CharField(label=_("account"), max_length=200, help_text=_("Its key, or a name in its events."))

    def clean_account(self) -> int:
        try:
            return find_account(self.cleaned_data["account"]).id
        except UnknownAccount:
            raise forms.ValidationError(gettext("No account goes by this name.")) from None

    def name_account(self) -> str:
        """As people call it."""
        account_id: int = self.cleaned_data["account"]
        return read_accounts([account_id])[account_id].name or str(self["account"].value())

    def find_subscription(self, plan: Plan) -> Subscription | None:
        """The account's own to that plan; that there is none is an error of the field `plan`."""
        found = Subscription.objects.filter(account_id=self.cleaned_data["account"], plan=plan, state__in=LIVE)
        subscription = found.select_related("version__plan", "account").first()
        if subscription is None:
            self.add_error("plan", gettext("The account has no subscription to this plan."))
        return subscription
