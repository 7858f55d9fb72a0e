from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RecommendationsConfig(AppConfig):
    name = "recommendations"
    verbose_name = _("Recommendations")

    def ready(self) -> None:
        from catalog.erasure import register_eraser  # noqa: PLC0415 - apps are loaded now
        from catalog.runs import register_run_kind, register_schedule  # noqa: PLC0415 - apps are loaded now

        register_run_kind(
            "recommend.train",
            executor="recommendations.services.training.execute_train",
            queue="training",
            label=_("Training of recommendations"),
        )
        register_run_kind(
            "recommend.purge",
            executor="recommendations.services.purge.execute_purge",
            queue="default",
            label=_("Clearing of expired storefront events"),
        )
        register_schedule("recommend-train", kind="recommend.train", daily_at="02:00")
        register_schedule("recommend-purge", kind="recommend.purge", daily_at="01:30")
        register_eraser(
            "storefront",
            "recommendations.services.forgetting.forget_customer",
            exporter="recommendations.services.forgetting.tell_customer",
        )
