from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class PalierAdminSite(AdminSite):
    """The back-office. Staff log in where everybody does, so that one set of limits and checks guards both doors."""

    site_title = _("Palier back-office")
    site_header = _("Palier back-office")
    index_title = _("Today")
