"""An app of the worker tests: kinds of run whose effect can be counted."""

from pathlib import Path

from django.apps import AppConfig

from catalog.runs import register_run_kind


class WorkerAppConfig(AppConfig):
    name = "tests.worker_app"
    label = "worker_app"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        executors = "tests.worker_app.executors"
        for name in ("fenced", "unfenced", "quick"):
            register_run_kind(f"test.{name}", executor=f"{executors}.{name}", label=name)
