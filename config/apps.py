from django.contrib.admin.apps import AdminConfig


class PalierAdminConfig(AdminConfig):
    default_site = "config.admin.PalierAdminSite"
