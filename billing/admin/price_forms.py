"""The editors of a price and of its rows by dimension. What is wrong is said at the field that has it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.utils.translation import gettext

from billing.models import Price
from billing.price_rows import describe_terms
from billing.rating import ZERO, DimensionPrice, InvalidPrice, PriceModel, TierTerms
from billing.rating.checks import TIERED

if TYPE_CHECKING:
    PriceModelForm = forms.ModelForm[Price]
    InlineFormSet = forms.BaseInlineFormSet[Any, Price, Any]
else:
    PriceModelForm = forms.ModelForm
    InlineFormSet = forms.BaseInlineFormSet

# Where those parts of a price stand that are no fields of the same name.
FIELDS = {
    "percentage": "rate_percent",
    "percentage.fee": "transaction_fee",
    "percentage.minimum": "transaction_minimum",
    "percentage.maximum": "transaction_maximum",
    "conversion": "multiply_by",
    "conversion.places": "conversion_places",
}


class PriceForm(PriceModelForm):
    """Asks what rating asks of a price, but for the tiers and rows, which have a page of their own.

    And the database's rules, also where they are about fields that this form does not show.
    """

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if has_bad_fields(self):
            return
        try:
            check_draft(self.instance)
        except InvalidPrice as error:
            field = FIELDS.get(error.field, error.field.rpartition(".")[2])
            blame(self, field if field in self.fields else None, str(error))
        if self.errors:
            return
        try:
            self.instance.validate_constraints(exclude=set() if self.instance.version_id else {"version"})
        except ValidationError as error:
            self.add_error(None, error.messages)


def has_bad_fields(form: Any) -> bool:
    return any(name != NON_FIELD_ERRORS for name in form.errors)


def blame(form: Any, field: str | None, problem: str) -> None:
    """Say at the field what a constraint of the row says of all of it."""
    form.errors.pop(NON_FIELD_ERRORS, None)
    form.add_error(field, problem)


def check_draft(price: Price) -> None:
    """Raises InvalidPrice. Tiers and rows are taken to be in order, as they come later."""
    for column in Price._meta.concrete_fields:
        if isinstance(column, models.DecimalField):  # what the form does not show has its default, which may be an int
            setattr(price, column.attname, column.to_python(getattr(price, column.attname)))
    rate = ZERO if price.model == PriceModel.GRADUATED_PERCENTAGE else None
    tiers = (TierTerms(None, rate_percent=rate),) if price.model in TIERED else ()
    row = DimensionPrice(("",) * len(price.dimensions), ZERO)
    describe_terms(price, tiers=tiers, table=(row,) if price.model == PriceModel.DIMENSION else ())


class DraftFormSet(InlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        """In a table only the column is named; the box that takes a row out has its name as well."""
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = gettext("Delete")


class PartFormSet(DraftFormSet):
    """Looks at those parts of a price together that are kept, by their positions, once each is in order by itself."""

    def clean(self) -> None:
        if not any(map(has_bad_fields, self.forms)):
            self.check(sorted(self.list_kept(), key=lambda each: each.cleaned_data["position"]))
        super().clean()

    def list_kept(self) -> list[Any]:
        return [each for each in self.forms if each.cleaned_data and not each.cleaned_data.get("DELETE")]

    def check(self, kept: list[Any]) -> None:
        raise NotImplementedError


class RowFormSet(PartFormSet):
    """Each row has a value for each of the price's dimensions, and is there once."""

    def check(self, kept: list[Any]) -> None:
        if kept and self.instance.model != PriceModel.DIMENSION:
            raise ValidationError(gettext("Only a price by dimension has rows."))
        for form, problem in self.find_problems(kept):
            blame(form, "values", problem)

    def find_problems(self, kept: list[Any]) -> Iterator[tuple[Any, str]]:
        seen: set[tuple[str, ...]] = set()
        for form in kept:
            values = tuple(form.cleaned_data["values"])
            if len(values) != len(self.instance.dimensions):
                yield form, gettext("A row has a value for each of: %s.") % ", ".join(self.instance.dimensions)
            if values in seen:
                yield form, gettext("A row with these values is there already.")
            seen.add(values)
