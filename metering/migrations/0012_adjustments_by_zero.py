"""A closed window is adjusted by zero as well: usage moves between dimension values without changing its sum."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("metering", "0011_names")]

    operations = [migrations.RemoveConstraint(model_name="adjustment", name="adjustment_changes_something")]
