"""`/healthz` speaks for the process alone, `/readyz` for database, migrations and worker."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone


def heartbeat(age: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s::interval)",
            [age],
        )


def test_a_process_lives_without_asking_the_database(client):
    """The mark that lets a test into the database is missing here: asking would fail."""
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"web": "ok"})


@pytest.mark.django_db
def test_all_is_well(client):
    heartbeat("5 seconds")

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "migrations": "ok", "worker": "ok", "clock": "ok"}


@pytest.mark.django_db
def test_a_silent_worker_is_noticed(client):
    heartbeat("5 minutes")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["worker"] == "missing"


@pytest.mark.django_db
def test_a_migration_that_was_not_carried_out_is_noticed(client):
    heartbeat("5 seconds")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'pages' AND name LIKE '0001%%'")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "database": "ok",
        "migrations": "pending",
        "worker": "ok",
        "clock": "ok",
    }


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_noticed(client, monkeypatch):
    monkeypatch.setattr("coaching_site.health.WORKER_SEEN_WITHIN", "not an interval")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "unreachable"


@pytest.mark.django_db
def test_a_clock_that_is_not_the_databases_is_noticed(client, monkeypatch):
    heartbeat("5 seconds")
    ahead = timezone.now() + timedelta(minutes=3)
    monkeypatch.setattr("django.utils.timezone.now", lambda: ahead)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["clock"] == "off"
