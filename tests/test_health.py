"""`/healthz` sees the database and a worker."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def heartbeat(age: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s::interval)",
            [age],
        )


def test_both_are_well(client):
    heartbeat("5 seconds")

    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "worker": "ok"}


def test_a_silent_worker_is_noticed(client):
    heartbeat("5 minutes")

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["worker"] == "missing"


def test_a_database_that_does_not_answer_is_noticed(client, monkeypatch):
    monkeypatch.setattr("coaching_site.health.WORKER_SEEN_WITHIN", "not an interval")

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["database"] == "unreachable"
