"""The queue's promise: a job exists exactly if its cause does."""

import pytest
from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import jobs


@pytest.mark.django_db
def test_a_job_is_gone_with_the_transaction_that_caused_it():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.enqueue("jobs.tidy", timestamp=1)
        raise ZeroDivisionError

    assert ProcrastinateJob.objects.count() == 0


@pytest.mark.django_db
def test_a_job_enqueued_inside_a_worker_belongs_to_the_transaction_too():
    with (
        app.replace_connector(DjangoConnector().get_worker_connector()),
        pytest.raises(ZeroDivisionError),
        transaction.atomic(),
    ):
        jobs.enqueue("jobs.tidy", timestamp=1)
        raise ZeroDivisionError

    assert ProcrastinateJob.objects.count() == 0


@pytest.mark.django_db
def test_a_job_nobody_can_do_is_refused_at_once():
    with pytest.raises(KeyError):
        jobs.enqueue("jobs.no_such_task")
