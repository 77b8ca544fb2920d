"""What each field of billing is called, in the reader's language. The database does not change."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.models.profiles
import billing.sellers
import billing.validators
from config.migrating import RenameForPeople


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0021_grace"),
        ("metering", "0014_names_since_when"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        RenameForPeople(
            state_operations=[
                migrations.AlterField(
                    model_name="addon",
                    name="description",
                    field=models.CharField(max_length=120, verbose_name="description"),
                ),
                migrations.AlterField(
                    model_name="addon",
                    name="key",
                    field=models.SlugField(
                        help_text="The same in each version that offers it.", max_length=60, verbose_name="key"
                    ),
                ),
                migrations.AlterField(
                    model_name="addon",
                    name="max_quantity",
                    field=models.PositiveIntegerField(
                        blank=True,
                        help_text="How many a subscriber may have; empty for any.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="at most",
                    ),
                ),
                migrations.AlterField(
                    model_name="addon",
                    name="position",
                    field=models.PositiveIntegerField(verbose_name="position"),
                ),
                migrations.AlterField(
                    model_name="addon",
                    name="unit_amount",
                    field=models.DecimalField(decimal_places=12, max_digits=24, verbose_name="price of a unit"),
                ),
                migrations.AlterField(
                    model_name="addon",
                    name="version",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="add_ons",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingprofile",
                    name="account",
                    field=models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingprofile",
                    name="country",
                    field=models.CharField(
                        blank=True,
                        help_text="ISO 3166, such as FR.",
                        max_length=2,
                        validators=[billing.validators.validate_country],
                        verbose_name="country",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingprofile",
                    name="email",
                    field=models.EmailField(blank=True, max_length=254, verbose_name="e-mail address"),
                ),
                migrations.AlterField(
                    model_name="billingprofile",
                    name="legal_name",
                    field=models.CharField(max_length=200, verbose_name="legal name"),
                ),
                migrations.AlterField(
                    model_name="billingprofile",
                    name="tax_number",
                    field=models.CharField(
                        blank=True,
                        help_text="What the tax office knows the customer by, such as a VAT number.",
                        max_length=40,
                        verbose_name="tax number",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingprofile",
                    name="time_zone",
                    field=models.CharField(
                        default="UTC",
                        help_text="A name such as Europe/Paris. Periods not yet opened follow a change.",
                        max_length=60,
                        validators=[billing.validators.validate_time_zone],
                        verbose_name="time zone",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrun",
                    name="retries",
                    field=models.PositiveIntegerField(
                        default=0, help_text="How often what had failed was tried again.", verbose_name="retries"
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="attempts",
                    field=models.PositiveIntegerField(
                        default=0, help_text="How often billing it has failed.", verbose_name="attempts"
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="billed_minor",
                    field=models.BigIntegerField(null=True, verbose_name="billed"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="currency",
                    field=models.CharField(max_length=3, verbose_name="currency"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="ends_at",
                    field=models.DateTimeField(verbose_name="ends"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="error",
                    field=models.TextField(
                        blank=True, help_text="Why it could not be billed, or not even previewed.", verbose_name="error"
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="invoice",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="run_entries",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="is_free",
                    field=models.BooleanField(default=False, verbose_name="free"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="last_invoice",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.invoice",
                        verbose_name="last invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="part",
                    field=models.CharField(max_length=60, verbose_name="part"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="period",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="run_entries",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="previewed_at",
                    field=models.DateTimeField(null=True, verbose_name="previewed"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="previewed_minor",
                    field=models.BigIntegerField(null=True, verbose_name="previewed amount"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="reason",
                    field=models.CharField(
                        blank=True,
                        choices=[
                            ("closed", "somebody else had billed it meanwhile"),
                            ("changed", "its subscription was changed meanwhile; the next run bills what became of it"),
                            ("cancelled", "the run was cancelled"),
                        ],
                        max_length=10,
                        verbose_name="reason",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="retry_at",
                    field=models.DateTimeField(
                        help_text="When it is tried again by itself.", null=True, verbose_name="tried again"
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="run",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="billing.billingrun",
                        verbose_name="run",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="starts_at",
                    field=models.DateTimeField(verbose_name="starts"),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("pending", "to be billed"),
                            ("done", "billed"),
                            ("failed", "failed"),
                            ("skipped", "left out"),
                            ("gone", "nothing to bill any more"),
                        ],
                        default="pending",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                migrations.AlterField(
                    model_name="billingrunentry",
                    name="subscription",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="amount_minor",
                    field=models.BigIntegerField(
                        blank=True,
                        help_text="Off each invoice, in the smallest unit of the currency.",
                        null=True,
                        verbose_name="amount",
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="code",
                    field=models.SlugField(
                        help_text="What a customer gives.", max_length=60, unique=True, verbose_name="code"
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="currency",
                    field=models.CharField(
                        blank=True,
                        help_text="Of an amount; empty for a percentage.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                        verbose_name="currency",
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="duration",
                    field=models.CharField(
                        choices=[("once", "one period"), ("repeating", "so many months"), ("forever", "for ever")],
                        default="once",
                        max_length=10,
                        verbose_name="duration",
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="max_redemptions",
                    field=models.PositiveIntegerField(
                        blank=True, help_text="Empty for any number.", null=True, verbose_name="redemptions at most"
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="months",
                    field=models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Only where it lasts so many months.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="months",
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="name",
                    field=models.CharField(help_text="As documents show it.", max_length=120, verbose_name="name"),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="percent",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=10,
                        help_text="25 is 25 % off each line.",
                        max_digits=13,
                        null=True,
                        verbose_name="percentage",
                    ),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="redemption_count",
                    field=models.PositiveIntegerField(default=0, editable=False, verbose_name="redemptions"),
                ),
                migrations.AlterField(
                    model_name="coupon",
                    name="valid_until",
                    field=models.DateTimeField(
                        blank=True, help_text="Cannot be applied from then on.", null=True, verbose_name="valid until"
                    ),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="amount_minor",
                    field=models.BigIntegerField(
                        help_text="Above zero it adds to the balance, below it takes from it.", verbose_name="amount"
                    ),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="grant",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="billing.creditgrant",
                        verbose_name="grant",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="invoice",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_entries",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="key",
                    field=models.CharField(max_length=80, verbose_name="key"),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="kind",
                    field=models.CharField(
                        choices=[
                            ("granted", "granted"),
                            ("burned", "used for an invoice"),
                            ("expired", "expired"),
                            ("voided", "voided"),
                            ("rolled_over", "rolled over"),
                            ("refunded", "given back"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="line",
                    field=models.PositiveIntegerField(default=0, verbose_name="line"),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="made_at",
                    field=models.DateTimeField(verbose_name="made"),
                ),
                migrations.AlterField(
                    model_name="creditentry",
                    name="made_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="anchor",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="anchor"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="balance_minor",
                    field=models.BigIntegerField(default=0, verbose_name="left"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="currency",
                    field=models.CharField(
                        help_text="ISO 4217, such as EUR.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                        verbose_name="currency",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="effective_at",
                    field=models.DateTimeField(verbose_name="takes effect"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="expires_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="expires"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="interval",
                    field=models.CharField(
                        blank=True,
                        choices=[
                            ("day", "every day"),
                            ("week", "every week"),
                            ("month", "every month"),
                            ("quarter", "every quarter"),
                            ("half_year", "every half-year"),
                            ("year", "every year"),
                        ],
                        max_length=10,
                        verbose_name="interval",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="key",
                    field=models.CharField(
                        blank=True, help_text="What it was granted for, once.", max_length=80, verbose_name="key"
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="made_at",
                    field=models.DateTimeField(verbose_name="made"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="made_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="note",
                    field=models.CharField(blank=True, max_length=200, verbose_name="note"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="number",
                    field=models.PositiveIntegerField(
                        default=0, help_text="Which of its series, counted from 0.", verbose_name="number"
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="previous",
                    field=models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="next",
                        to="billing.creditgrant",
                        verbose_name="the one before",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="priority",
                    field=models.PositiveSmallIntegerField(
                        default=0, help_text="The lowest number is used first.", verbose_name="priority"
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="recurs_until",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="comes back until"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="rollover_max_minor",
                    field=models.BigIntegerField(default=0, verbose_name="at most rolls over"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="rollover_min_minor",
                    field=models.BigIntegerField(default=0, verbose_name="at least rolls over"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="scope",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=120),
                        blank=True,
                        default=list,
                        help_text="Names of the prices it may pay for: meters, or descriptions of fees. Empty: any.",
                        size=None,
                        verbose_name="pays for",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="source",
                    field=models.CharField(
                        choices=[
                            ("included", "included in the plan"),
                            ("top_up", "top-up"),
                            ("promotion", "promotion"),
                            ("credit_note", "credit note"),
                            ("manual", "by hand"),
                        ],
                        max_length=12,
                        verbose_name="source",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="time_zone",
                    field=models.CharField(blank=True, max_length=60, verbose_name="time zone"),
                ),
                migrations.AlterField(
                    model_name="creditgrant",
                    name="voided_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="voided"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="destination",
                    field=models.CharField(
                        choices=[("due", "taken off what is due"), ("balance", "credit"), ("refund", "refund")],
                        max_length=10,
                        verbose_name="how it is given back",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="invoice",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="issued_at",
                    field=models.DateTimeField(verbose_name="issued"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="key",
                    field=models.CharField(max_length=120, verbose_name="key"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="made_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="number",
                    field=models.CharField(max_length=40, unique=True, verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="reason",
                    field=models.CharField(max_length=200, verbose_name="reason"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="sequence",
                    field=models.PositiveIntegerField(verbose_name="sequence"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="series",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="billing.invoiceseries", verbose_name="series"
                    ),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="subtotal_minor",
                    field=models.BigIntegerField(verbose_name="without tax"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="tax_minor",
                    field=models.BigIntegerField(verbose_name="tax"),
                ),
                migrations.AlterField(
                    model_name="creditnote",
                    name="total_minor",
                    field=models.BigIntegerField(verbose_name="total"),
                ),
                migrations.AlterField(
                    model_name="creditnoteline",
                    name="invoice_line",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credited",
                        to="billing.invoiceline",
                        verbose_name="line of the invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditnoteline",
                    name="note",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="billing.creditnote",
                        verbose_name="note",
                    ),
                ),
                migrations.AlterField(
                    model_name="creditnoteline",
                    name="subtotal_minor",
                    field=models.BigIntegerField(verbose_name="without tax"),
                ),
                migrations.AlterField(
                    model_name="creditnoteline",
                    name="tax_minor",
                    field=models.BigIntegerField(verbose_name="tax"),
                ),
                migrations.AlterField(
                    model_name="creditnoteline",
                    name="taxes",
                    field=models.JSONField(default=list, verbose_name="taxes"),
                ),
                migrations.AlterField(
                    model_name="creditnoteline",
                    name="total_minor",
                    field=models.BigIntegerField(verbose_name="total"),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="applied_at",
                    field=models.DateTimeField(verbose_name="applied"),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="applied_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="applied by",
                    ),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="coupon",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="discounts",
                        to="billing.coupon",
                        verbose_name="coupon",
                    ),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="ends_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="ends"),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="starts_at",
                    field=models.DateTimeField(verbose_name="starts"),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="subscription",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="discounts",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="credited_minor",
                    field=models.BigIntegerField(default=0, verbose_name="paid by credit"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="currency",
                    field=models.CharField(max_length=3, verbose_name="currency"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="customer_address",
                    field=models.TextField(blank=True, verbose_name="customer's address"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="customer_country",
                    field=models.CharField(blank=True, max_length=2, verbose_name="customer's country"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="customer_name",
                    field=models.CharField(max_length=200, verbose_name="customer"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="customer_tax_number",
                    field=models.CharField(blank=True, max_length=40, verbose_name="customer's tax number"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="discount_minor",
                    field=models.BigIntegerField(default=0, verbose_name="discounts"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="due_minor",
                    field=models.BigIntegerField(default=0, verbose_name="due when issued"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="issued_at",
                    field=models.DateTimeField(null=True, verbose_name="issued"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="kind",
                    field=models.CharField(
                        choices=[
                            ("period", "of a period"),
                            ("one_off", "one-off"),
                            ("threshold", "ahead of the period's end"),
                        ],
                        default="period",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="language",
                    field=models.CharField(
                        default=billing.models.profiles.find_language, max_length=10, verbose_name="language"
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="number",
                    field=models.CharField(max_length=40, null=True, unique=True, verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="period",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="period_end",
                    field=models.DateTimeField(verbose_name="end of the period"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="period_start",
                    field=models.DateTimeField(verbose_name="start of the period"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="plan_name",
                    field=models.CharField(blank=True, max_length=140, verbose_name="plan"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="seller",
                    field=models.JSONField(
                        default=billing.sellers.name_seller,
                        help_text="Who asks, and how it is paid: billing.sellers.",
                        verbose_name="seller",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="sequence",
                    field=models.PositiveIntegerField(null=True, verbose_name="sequence"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="series",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="billing.invoiceseries",
                        verbose_name="series",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("issued", "issued"),
                            ("paid", "paid"),
                            ("uncollectible", "uncollectible"),
                            ("void", "void"),
                        ],
                        default="draft",
                        max_length=14,
                        verbose_name="state",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="subscription",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="subtotal_minor",
                    field=models.BigIntegerField(default=0, verbose_name="without tax"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="tax_minor",
                    field=models.BigIntegerField(default=0, verbose_name="tax"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="time_zone",
                    field=models.CharField(max_length=60, verbose_name="time zone"),
                ),
                migrations.AlterField(
                    model_name="invoice",
                    name="total_minor",
                    field=models.BigIntegerField(default=0, verbose_name="total"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="amount_exact",
                    field=models.DecimalField(decimal_places=24, max_digits=38, verbose_name="exact amount"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="currency",
                    field=models.CharField(
                        help_text="ISO 4217, such as EUR.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                        verbose_name="currency",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="description",
                    field=models.CharField(max_length=200, verbose_name="description"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="invoice_line",
                    field=models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="item",
                        to="billing.invoiceline",
                        verbose_name="line of the invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="key",
                    field=models.CharField(help_text="What it is for, once.", max_length=120, verbose_name="key"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="kind",
                    field=models.CharField(
                        choices=[
                            ("proration", "proration"),
                            ("one_off", "one-off charge"),
                            ("late", "late usage"),
                            ("true_up", "commitment"),
                            ("fee", "fee"),
                            ("top_up", "prepaid credit"),
                            ("prebilled", "billed ahead"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="made_at",
                    field=models.DateTimeField(verbose_name="made"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="made_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="period_end",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="end of the period"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="period_start",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="start of the period"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="quantity",
                    field=models.DecimalField(decimal_places=12, default=1, max_digits=38, verbose_name="quantity"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="subscription",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="unit_amount",
                    field=models.DecimalField(decimal_places=12, max_digits=24, verbose_name="price of a unit"),
                ),
                migrations.AlterField(
                    model_name="invoiceitem",
                    name="withdrawn_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="withdrawn by",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="amount_exact",
                    field=models.DecimalField(
                        decimal_places=24,
                        help_text="Before the one rounding.",
                        max_digits=38,
                        verbose_name="exact amount",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="description",
                    field=models.CharField(max_length=200, verbose_name="description"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="detail",
                    field=models.JSONField(
                        default=dict,
                        help_text="What else of the usage the price looked at: by dimension, or each transaction.",
                        verbose_name="what else was looked at",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="discount_minor",
                    field=models.BigIntegerField(default=0, verbose_name="discounts"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="event_count",
                    field=models.BigIntegerField(
                        help_text="How many events the line prices.", null=True, verbose_name="events"
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="event_digest",
                    field=models.CharField(
                        help_text="Of the set of events that the line prices, in hexadecimal.",
                        max_length=64,
                        null=True,
                        verbose_name="digest of the events",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="invoice",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="kind",
                    field=models.CharField(
                        choices=[
                            ("price", "price"),
                            ("add_on", "add-on"),
                            ("proration", "proration"),
                            ("one_off", "one-off charge"),
                            ("late", "late usage"),
                            ("true_up", "commitment"),
                            ("fee", "fee"),
                            ("top_up", "prepaid credit"),
                            ("prebilled", "billed ahead"),
                        ],
                        default="price",
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="meter",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="period_end",
                    field=models.DateTimeField(null=True, verbose_name="end of the period"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="period_start",
                    field=models.DateTimeField(
                        help_text="What it is for, where that is not the invoice's.",
                        null=True,
                        verbose_name="start of the period",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="position",
                    field=models.PositiveIntegerField(verbose_name="position"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="quantity",
                    field=models.DecimalField(decimal_places=12, max_digits=38, verbose_name="quantity"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="steps",
                    field=models.JSONField(
                        default=list,
                        help_text="Tier, quantity, unit price and exact amount of each step.",
                        verbose_name="steps",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="subtotal_minor",
                    field=models.BigIntegerField(verbose_name="without tax"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="tax_minor",
                    field=models.BigIntegerField(default=0, verbose_name="tax"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="taxes",
                    field=models.JSONField(
                        default=list, help_text="Name, percentage and amount of each tax.", verbose_name="taxes"
                    ),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="total_minor",
                    field=models.BigIntegerField(verbose_name="total"),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="unit",
                    field=models.CharField(blank=True, max_length=40, verbose_name="unit"),
                ),
                migrations.AlterField(
                    model_name="invoicemove",
                    name="at",
                    field=models.DateTimeField(verbose_name="at"),
                ),
                migrations.AlterField(
                    model_name="invoicemove",
                    name="invoice",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoicemove",
                    name="made_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                migrations.AlterField(
                    model_name="invoicemove",
                    name="reason",
                    field=models.CharField(blank=True, max_length=200, verbose_name="reason"),
                ),
                migrations.AlterField(
                    model_name="invoicemove",
                    name="state",
                    field=models.CharField(max_length=14, verbose_name="state"),
                ),
                migrations.AlterField(
                    model_name="invoiceseries",
                    name="last_number",
                    field=models.PositiveIntegerField(default=0, verbose_name="last number"),
                ),
                migrations.AlterField(
                    model_name="invoiceseries",
                    name="prefix",
                    field=models.CharField(max_length=20, unique=True, verbose_name="prefix"),
                ),
                migrations.AlterField(
                    model_name="latebatch",
                    name="invoice",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="late_batches",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="latebatch",
                    name="number",
                    field=models.PositiveIntegerField(verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="action",
                    field=models.CharField(
                        choices=[
                            ("bill", "billed"),
                            ("credit", "credited"),
                            ("waive", "waived"),
                            ("nothing", "the price stays the same"),
                            ("take_back", "taken back, as the invoice is void"),
                        ],
                        max_length=10,
                        verbose_name="action",
                    ),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="batch",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="billing.latebatch",
                        verbose_name="batch",
                    ),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="billed_minor",
                    field=models.BigIntegerField(verbose_name="billed"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="description",
                    field=models.CharField(max_length=200, verbose_name="description"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="detail",
                    field=models.JSONField(default=dict, verbose_name="what else was looked at"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="difference_minor",
                    field=models.BigIntegerField(verbose_name="difference"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="discount_minor",
                    field=models.BigIntegerField(default=0, verbose_name="discounts"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="event_count",
                    field=models.BigIntegerField(null=True, verbose_name="events"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="invoice_line",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="billing.invoiceline",
                        verbose_name="line of the invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="item",
                    field=models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="late_settlement",
                        to="billing.invoiceitem",
                        verbose_name="item",
                    ),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="noted_minor",
                    field=models.BigIntegerField(default=0, verbose_name="noted"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="quantity",
                    field=models.DecimalField(decimal_places=12, max_digits=38, verbose_name="quantity"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="quantity_before",
                    field=models.DecimalField(decimal_places=12, max_digits=38, verbose_name="quantity before"),
                ),
                migrations.AlterField(
                    model_name="latesettlement",
                    name="rerated_minor",
                    field=models.BigIntegerField(verbose_name="rated again"),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="invoice",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="key",
                    field=models.CharField(max_length=120, verbose_name="key"),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="made_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="method",
                    field=models.CharField(max_length=40, verbose_name="how it was paid"),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="paid_at",
                    field=models.DateTimeField(verbose_name="paid"),
                ),
                migrations.AlterField(
                    model_name="payment",
                    name="reference",
                    field=models.CharField(blank=True, max_length=120, verbose_name="reference"),
                ),
                migrations.AlterField(
                    model_name="period",
                    name="closed_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="closed"),
                ),
                migrations.AlterField(
                    model_name="period",
                    name="ends_at",
                    field=models.DateTimeField(verbose_name="ends"),
                ),
                migrations.AlterField(
                    model_name="period",
                    name="starts_at",
                    field=models.DateTimeField(verbose_name="starts"),
                ),
                migrations.AlterField(
                    model_name="period",
                    name="subscription",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="period",
                    name="version",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
                migrations.AlterField(
                    model_name="plan",
                    name="name",
                    field=models.CharField(max_length=120, verbose_name="name"),
                ),
                migrations.AlterField(
                    model_name="plan",
                    name="rank",
                    field=models.PositiveIntegerField(
                        help_text="Order of the plans, smallest first.", unique=True, verbose_name="rank"
                    ),
                ),
                migrations.AlterField(
                    model_name="plan",
                    name="slug",
                    field=models.SlugField(max_length=60, unique=True, verbose_name="slug"),
                ),
                migrations.AlterField(
                    model_name="planlimit",
                    name="is_hard",
                    field=models.BooleanField(default=False, verbose_name="refused beyond it"),
                ),
                migrations.AlterField(
                    model_name="planlimit",
                    name="meter",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                migrations.AlterField(
                    model_name="planlimit",
                    name="quantity",
                    field=models.DecimalField(decimal_places=12, max_digits=38, verbose_name="quantity"),
                ),
                migrations.AlterField(
                    model_name="planlimit",
                    name="version",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="limits",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="anchoring",
                    field=models.CharField(
                        choices=[("calendar", "with the calendar"), ("anniversary", "from the subscription's anchor")],
                        default="calendar",
                        help_text="Where periods begin.",
                        max_length=12,
                        verbose_name="where periods begin",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="currency",
                    field=models.CharField(
                        help_text="ISO 4217, such as EUR.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                        verbose_name="currency",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="interval",
                    field=models.CharField(
                        choices=[
                            ("day", "day"),
                            ("week", "week"),
                            ("month", "month"),
                            ("quarter", "quarter"),
                            ("half_year", "half-year"),
                            ("year", "year"),
                        ],
                        default="month",
                        help_text="How long a period is.",
                        max_length=10,
                        verbose_name="interval",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="number",
                    field=models.PositiveIntegerField(verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="offered_from",
                    field=models.DateTimeField(
                        blank=True,
                        help_text="Who subscribes from then on gets this version.",
                        null=True,
                        verbose_name="on offer from",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="plan",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="billing.plan",
                        verbose_name="plan",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="proration",
                    field=models.CharField(
                        choices=[("second", "by second"), ("day", "by day")],
                        default="second",
                        help_text="How a fee is cut when a subscription changes within a period.",
                        max_length=10,
                        verbose_name="proration",
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="published_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="published"),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="retired_at",
                    field=models.DateTimeField(
                        blank=True, help_text="Not on offer from then on.", null=True, verbose_name="retired"
                    ),
                ),
                migrations.AlterField(
                    model_name="planversion",
                    name="trial_days",
                    field=models.PositiveSmallIntegerField(
                        default=0, help_text="Free days at the start; 0 for none.", verbose_name="free days"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="cap",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="The most that the line comes to.",
                        max_digits=24,
                        null=True,
                        verbose_name="cap",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="conversion_places",
                    field=models.PositiveSmallIntegerField(
                        default=12, help_text="Decimals of a converted quantity.", verbose_name="decimals kept"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="conversion_rounding",
                    field=models.CharField(
                        choices=[("up", "up"), ("half", "half up"), ("down", "down")],
                        default="half",
                        max_length=10,
                        verbose_name="rounding of the conversion",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="conversion_unit",
                    field=models.CharField(
                        blank=True,
                        help_text="What is charged, such as hour.",
                        max_length=40,
                        verbose_name="unit charged",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="description",
                    field=models.CharField(max_length=120, verbose_name="description"),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="dimensions",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="The meter's dimensions it depends on.",
                        size=None,
                        verbose_name="dimensions",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="divide_by",
                    field=models.DecimalField(
                        blank=True, decimal_places=12, max_digits=38, null=True, verbose_name="divided by"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="first_tier_flat_at_zero",
                    field=models.BooleanField(
                        default=False,
                        help_text="Whether the first tier's flat amount is asked where nothing is charged.",
                        verbose_name="first tier's fee even where nothing was used",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="free_amount",
                    field=models.DecimalField(
                        decimal_places=12,
                        default=0,
                        help_text="Value of which nothing is taken.",
                        max_digits=38,
                        verbose_name="free amount",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="free_transactions",
                    field=models.PositiveIntegerField(default=0, verbose_name="free transactions"),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="included_units",
                    field=models.DecimalField(
                        decimal_places=12,
                        default=0,
                        help_text="Taken off before anything is charged and before tiers are counted.",
                        max_digits=38,
                        verbose_name="included units",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="meter",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="minimum",
                    field=models.DecimalField(
                        decimal_places=12,
                        default=0,
                        help_text="The least that the line comes to.",
                        max_digits=24,
                        verbose_name="minimum",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="model",
                    field=models.CharField(
                        choices=[
                            ("flat", "flat fee"),
                            ("per_unit", "per unit"),
                            ("graduated", "graduated"),
                            ("volume", "volume"),
                            ("package", "by package"),
                            ("percentage", "percentage"),
                            ("graduated_percentage", "graduated percentage"),
                            ("dimension", "by dimension"),
                        ],
                        max_length=20,
                        verbose_name="model",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="multiply_by",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="Converts what was metered to what is charged.",
                        max_digits=38,
                        null=True,
                        verbose_name="multiplied by",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="package_rounding",
                    field=models.CharField(
                        choices=[("up", "up"), ("half", "half up"), ("down", "down")],
                        default="up",
                        max_length=10,
                        verbose_name="rounding of packages",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="package_size",
                    field=models.DecimalField(
                        blank=True, decimal_places=12, max_digits=38, null=True, verbose_name="size of a package"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="position",
                    field=models.PositiveIntegerField(verbose_name="position"),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="rate_percent",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=10,
                        help_text="In percent: 1.5 takes 15 of a value of 1,000.",
                        max_digits=13,
                        null=True,
                        verbose_name="rate",
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="transaction_fee",
                    field=models.DecimalField(
                        decimal_places=12, default=0, max_digits=24, verbose_name="fee of a transaction"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="transaction_maximum",
                    field=models.DecimalField(
                        blank=True, decimal_places=12, max_digits=24, null=True, verbose_name="most of a transaction"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="transaction_minimum",
                    field=models.DecimalField(
                        blank=True, decimal_places=12, max_digits=24, null=True, verbose_name="least of a transaction"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="unit_amount",
                    field=models.DecimalField(
                        blank=True, decimal_places=12, max_digits=24, null=True, verbose_name="price of a unit"
                    ),
                ),
                migrations.AlterField(
                    model_name="price",
                    name="version",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prices",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
                migrations.AlterField(
                    model_name="pricerow",
                    name="position",
                    field=models.PositiveIntegerField(verbose_name="position"),
                ),
                migrations.AlterField(
                    model_name="pricerow",
                    name="price",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="billing.price",
                        verbose_name="price",
                    ),
                ),
                migrations.AlterField(
                    model_name="pricerow",
                    name="unit_amount",
                    field=models.DecimalField(decimal_places=12, max_digits=24, verbose_name="price of a unit"),
                ),
                migrations.AlterField(
                    model_name="pricerow",
                    name="values",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200),
                        help_text="In the order of the price's dimensions.",
                        size=None,
                        verbose_name="values",
                    ),
                ),
                migrations.AlterField(
                    model_name="progress",
                    name="highest",
                    field=models.DecimalField(decimal_places=24, max_digits=38, verbose_name="highest"),
                ),
                migrations.AlterField(
                    model_name="progress",
                    name="subscription",
                    field=models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="progress",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="reminder",
                    name="email",
                    field=models.EmailField(
                        blank=True,
                        help_text="Where it went; empty where nobody's address is known.",
                        max_length=254,
                        verbose_name="e-mail address",
                    ),
                ),
                migrations.AlterField(
                    model_name="reminder",
                    name="invoice",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="reminder",
                    name="number",
                    field=models.PositiveSmallIntegerField(verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="reminder",
                    name="sent_at",
                    field=models.DateTimeField(verbose_name="sent"),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="anchor",
                    field=models.DateTimeField(
                        help_text="Periods that do not go with the calendar begin as this moment recurs.",
                        verbose_name="anchor",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="ended_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="ended"),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="next_version",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.planversion",
                        verbose_name="next version",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="plan",
                    field=models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.plan",
                        verbose_name="plan",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="started_at",
                    field=models.DateTimeField(verbose_name="started"),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("trialing", "on trial"),
                            ("active", "active"),
                            ("paused", "paused"),
                            ("ended", "ended"),
                        ],
                        default="active",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscription",
                    name="version",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscriptionaddon",
                    name="key",
                    field=models.SlugField(max_length=60, verbose_name="key"),
                ),
                migrations.AlterField(
                    model_name="subscriptionaddon",
                    name="subscription",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="held_add_ons",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="subscriptionchange",
                    name="subscription",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="taxrate",
                    name="country",
                    field=models.CharField(
                        blank=True,
                        help_text="ISO 3166, such as FR.",
                        max_length=2,
                        validators=[billing.validators.validate_country],
                        verbose_name="country",
                    ),
                ),
                migrations.AlterField(
                    model_name="taxrate",
                    name="name",
                    field=models.CharField(
                        help_text="As documents show it, such as VAT.", max_length=60, verbose_name="name"
                    ),
                ),
                migrations.AlterField(
                    model_name="taxrate",
                    name="percent",
                    field=models.DecimalField(decimal_places=4, max_digits=7, verbose_name="percentage"),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="invoice",
                    field=models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="threshold_passed",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="passed_at",
                    field=models.DateTimeField(verbose_name="passed at"),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="period",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="subscription",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="thresholds_passed",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="threshold_minor",
                    field=models.BigIntegerField(verbose_name="below"),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="usages",
                    field=models.JSONField(default=dict, verbose_name="usages"),
                ),
                migrations.AlterField(
                    model_name="thresholdpassed",
                    name="worth",
                    field=models.DecimalField(
                        decimal_places=24,
                        help_text="Of the usage of the subscription's life by then.",
                        max_digits=38,
                        verbose_name="worth",
                    ),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="flat_amount",
                    field=models.DecimalField(
                        decimal_places=12,
                        default=0,
                        help_text="Charged once when the tier is entered.",
                        max_digits=24,
                        verbose_name="fee of the tier",
                    ),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="package_size",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="Units that are charged together; empty for single ones.",
                        max_digits=38,
                        null=True,
                        verbose_name="size of a package",
                    ),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="position",
                    field=models.PositiveIntegerField(verbose_name="position"),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="price",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tiers",
                        to="billing.price",
                        verbose_name="price",
                    ),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="rate_percent",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=10,
                        help_text="Of a graduated percentage, in place of the price of a unit.",
                        max_digits=13,
                        null=True,
                        verbose_name="rate",
                    ),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="unit_amount",
                    field=models.DecimalField(
                        decimal_places=12, default=0, max_digits=24, verbose_name="price of a unit"
                    ),
                ),
                migrations.AlterField(
                    model_name="tier",
                    name="up_to",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="Inclusive; empty in the last tier.",
                        max_digits=38,
                        null=True,
                        verbose_name="up to",
                    ),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="asked_at",
                    field=models.DateTimeField(verbose_name="asked"),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="dropped_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="given up"),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="grant",
                    field=models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="top_up",
                        to="billing.creditgrant",
                        verbose_name="grant",
                    ),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="invoice",
                    field=models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="top_up",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="number",
                    field=models.PositiveIntegerField(verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="topup",
                    name="rule",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="top_ups",
                        to="billing.topuprule",
                        verbose_name="rule",
                    ),
                ),
                migrations.AlterField(
                    model_name="topuprule",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="topuprule",
                    name="amount_minor",
                    field=models.BigIntegerField(verbose_name="amount"),
                ),
                migrations.AlterField(
                    model_name="topuprule",
                    name="currency",
                    field=models.CharField(
                        help_text="ISO 4217, such as EUR.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                        verbose_name="currency",
                    ),
                ),
                migrations.AlterField(
                    model_name="topuprule",
                    name="is_active",
                    field=models.BooleanField(default=True, verbose_name="switched on"),
                ),
                migrations.AlterField(
                    model_name="topuprule",
                    name="threshold_minor",
                    field=models.BigIntegerField(verbose_name="below"),
                ),
            ]
        )
    ]
