from django.apps import AppConfig


class BookingConfig(AppConfig):
    name = "booking"
    verbose_name = "Buchung"

    def ready(self) -> None:
        # Importing registers the checks.
        from booking import checks  # noqa: F401
