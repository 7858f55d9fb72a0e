from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from catalog.erasure import register_eraser
from catalog.product_checks import register_product_check
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
        register_run_kind(
            "orders.auto_approve",
            executor="inventory.services.auto_approval_runs.execute_auto_approval",
            label=_("Automatic approvals"),
        )
        # before the nightly plan, which reads them
        register_schedule("suppliers.lead_times", kind="suppliers.lead_times", daily_at="01:30")
        register_product_check("inventory.services.lots.check_lots_switch")
        register_run_kind(
            "ledger.seal",
            executor="inventory.services.seals.execute_seal",
            label=_("Seal of the ledger"),
        )
        register_schedule("ledger.seal", kind="ledger.seal", daily_at="00:40")
        register_run_kind(
            "import.sales",
            executor="inventory.services.imports.execute_import",
            label=_("Import of sales"),
        )
        register_eraser(
            "books",
            "inventory.services.customer_traces.forget_customer",
            exporter="inventory.services.customer_traces.tell_customer",
        )
        register_run_kind(
            "import.orders",
            executor="inventory.services.order_imports.files.execute_import",
            label=_("Import of customer orders"),
        )
        register_run_kind(
            "import.table",
            executor="inventory.services.tables.execute_import",
            label=_("Import of a table"),
        )
        register_eraser(
            "tables",
            "inventory.services.tables.forgetting.forget_customer",
            exporter="inventory.services.tables.forgetting.tell_customer",
        )
        register_run_kind(
            "import.tidy",
            executor="inventory.services.order_imports.files.execute_tidy",
            label=_("Clearing of files that nobody imported"),
        )
        register_schedule("import-tidy", kind="import.tidy", daily_at="01:10")
        register_run_kind(
            "orders.sweep",
            executor="inventory.services.order_sweep.execute_sweep",
            label=_("Reservations and waiting orders"),
            is_routine=True,
        )
        register_schedule("orders.sweep", kind="orders.sweep", every_minutes=5)
