from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from catalog.runs import register_run_kind


class InventoryConfig(AppConfig):
    name = "inventory"
    verbose_name = _("Inventory")

    def ready(self) -> None:
        register_run_kind(
            "import.sales",
            executor="inventory.services.imports.execute_import",
            label=_("Import of sales"),
        )
