from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from catalog.runs import register_run_kind, register_schedule


class InventoryConfig(AppConfig):
    name = "inventory"
    verbose_name = _("Inventory")

    def ready(self) -> None:
        register_run_kind(
            "suppliers.lead_times",
            executor="inventory.services.lead_times.execute_learning",
            label=_("Learning of lead times"),
        )
        # before the nightly plan, which reads them
        register_schedule("suppliers.lead_times", kind="suppliers.lead_times", daily_at="01:30")
        register_run_kind(
            "import.sales",
            executor="inventory.services.imports.execute_import",
            label=_("Import of sales"),
        )
