from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from catalog.erasure import register_eraser
from catalog.runs import register_run_kind, register_schedule


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = _("Catalog")

    def ready(self) -> None:
        register_run_kind(
            "housekeeping",
            executor="catalog.services.housekeeping.execute_housekeeping",
            label=_("Housekeeping"),
        )
        register_schedule("housekeeping", kind="housekeeping", daily_at="01:00")
        register_eraser("traces", "catalog.services.forgetting.forget_customer")
