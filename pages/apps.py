from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "pages"
    verbose_name = "Praxis und Seiten"

    def ready(self) -> None:
        from pages import checks  # noqa: F401  (registers the deployment check)
