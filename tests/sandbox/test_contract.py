"""Requests are judged, and answers shaped, by Stripe's own description."""

from __future__ import annotations

import http.client
import json

import pytest
import stripe

from tests.sandbox.conftest import ORDER, library
from tests.stripe_sandbox import api, contract, shape, spec
from tests.stripe_sandbox.errors import StripeError

SESSIONS = "/v1/checkout/sessions"
ITEM = ORDER["line_items"][0]
# Left out unless expanded (https://docs.stripe.com/changelog/2022-11-15), whatever the sample has.
ONLY_EXPANDED = {"refunds"}


@pytest.mark.parametrize("kind", spec.document()["x-fixtures"])
def test_stripes_own_samples_fit_its_schemas(kind):
    sample = spec.document()["x-fixtures"][kind]
    younger_than_the_sample = [".evidence_details.submission_method: missing"]

    assert shape.problems(sample, spec.schema(kind)) in ([], younger_than_the_sample)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"id": 1}, ".id: 1 is no string"),
        ({"amount": True}, ".amount: True is no integer"),
        ({"nonsense": 1}, ".nonsense: not in the schema"),
        ({"reason": "because"}, ".reason: 'because' is none of"),
        ({"currency": None}, ".currency: null"),
        ({"charge": {"id": "ch_1"}}, ".charge.amount: missing"),
        ({}, ".id: missing"),
    ],
)
def test_an_object_unlike_stripes_is_noticed(value, problem):
    found = shape.problems(value, spec.schema("refund"))

    assert any(problem in each for each in found), found


def test_every_field_of_stripes_samples_is_sent(sandbox, client, paid):
    intent = paid()
    refund = client.v1.refunds.create({"payment_intent": intent, "amount": 100})
    customer = client.v1.customers.create({"email": "ada@example.com"})
    dispute = sandbox.open_dispute(intent)
    made = {
        "checkout.session": sandbox.sessions[0],
        "payment_intent": sandbox.intents[0],
        "charge": sandbox.charges[0],
        "refund": refund.to_dict(),
        "customer": customer.to_dict(),
        "dispute": dispute,
        "event": sandbox.events[0],
    }

    for kind, sample in spec.document()["x-fixtures"].items():
        assert set(sample) - set(made[kind]) <= ONLY_EXPANDED, kind


def test_bracket_notation_nests():
    text = "a[b][0][c]=1&a[b][1][c]=2&expand[]=x&expand[]=y&plain=%7BID%7D&empty="

    assert contract.read(text) == {
        "a": {"b": {"0": {"c": "1"}, "1": {"c": "2"}}},
        "expand": {"0": "x", "1": "y"},
        "plain": "{ID}",
        "empty": "",
    }


@pytest.mark.parametrize("text", ["a=1&a[b]=2", "mode[x]=payment", "line_items=1"])
def test_a_value_where_an_object_belongs_is_refused(text):
    with pytest.raises(StripeError):
        contract.check("POST", SESSIONS, text)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"custommer_email": "a@b.example"}, "parameter_unknown", "custommer_email"),
        (
            {"payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        ({"line_items": [{**ITEM, "qty": 1}]}, "parameter_unknown", "line_items[0][qty]"),
        (
            {"line_items": [{"price_data": {"unit_amount": 1}, "quantity": 1}]},
            "parameter_missing",
            "line_items[0][price_data][currency]",
        ),
        ({"line_items": [{**ITEM, "quantity": "two"}]}, "parameter_invalid_integer", None),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
        ({"mode": "pay"}, None, "mode"),
        ({"ui_mode": "hosted"}, None, "ui_mode"),
        ({"submit_type": "kaufen"}, None, "submit_type"),
        ({"adaptive_pricing": {"enabled": "no"}}, None, "adaptive_pricing[enabled]"),
        ({"client_reference_id": "x" * 201}, None, "client_reference_id"),
        ({"client_reference_id": ""}, "parameter_invalid_empty", "client_reference_id"),
        ({"metadata": {"x": "y" * 501}}, None, "metadata[x]"),
        ({"metadata": {"x" * 41: "y"}}, None, f"metadata[{'x' * 41}]"),
        ({"metadata": {f"k{number}": "y" for number in range(51)}}, None, "metadata"),
        ({"payment_intent_data": {"statement_descriptor_suffix": "x" * 23}}, None, None),
        ({"payment_intent_data": {"statement_descriptor": "PRAXIS"}}, None, None),
        ({"success_url": "danke/"}, "url_invalid", "success_url"),
        ({"customer_email": "ada"}, "email_invalid", "customer_email"),
        ({"expand": ["payment_intnt"]}, None, "expand"),
        ({"expand": ["data.payment_intent"]}, None, "expand"),
        ({"expand": ["payment_intent.latest_charge.refunds.data.charge"]}, None, "expand"),
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "resource_missing", None),
        ({"consent_collection": {"promotions": "auto"}}, None, None),
    ],
)
def test_a_wrong_parameter_is_400_and_makes_nothing(sandbox, order, change, code, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        order(**change)

    assert (caught.value.http_status, caught.value.code) == (400, code)
    assert param is None or caught.value.param == param
    assert sandbox.sessions == []


@pytest.mark.parametrize("name", ["mode", "line_items", "success_url"])
def test_a_missing_parameter_is_named(client, name):
    params = {key: value for key, value in ORDER.items() if key != name}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(params)

    assert (caught.value.code, caught.value.param) == ("parameter_missing", name)


def test_a_query_is_judged_too(client):
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: nonsense"):
        client.v1.refunds.list({"nonsense": "x"})


@pytest.mark.parametrize("key", ["sk_live_123", "rk_live_123", "pk_test_123", "nonsense"])
def test_only_secret_test_keys_are_let_in(sandbox, key):
    with pytest.raises(stripe.AuthenticationError):
        library(sandbox, key=key).v1.refunds.list()


def test_a_restricted_test_key_is_let_in(sandbox):
    assert library(sandbox, key="rk_test_1").v1.refunds.list().data == []


def test_no_key_is_401(sandbox):
    assert raw(sandbox, "GET", "/v1/refunds")[0] == 401


def test_another_api_version_is_refused(sandbox):
    headers = {"Authorization": f"Bearer {sandbox.api_key}", "Stripe-Version": "2024-06-20"}

    status, body = raw(sandbox, "GET", "/v1/refunds", headers)

    assert (status, "2024-06-20" in body["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nonsense"), ("DELETE", "/v1/refunds"), ("GET", "/v1/refunds/")],
)
def test_an_unknown_address_is_404(sandbox, method, path):
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}

    assert raw(sandbox, method, path, headers)[0] == 404


@pytest.mark.parametrize(
    "path", sorted({path for method, path in api.OPERATIONS if "{" in path and method == "GET"})
)
def test_an_unknown_object_is_404(sandbox, path):
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}

    status, body = raw(sandbox, "GET", path.replace("{", "x").replace("}", ""), headers)

    assert (status, body["error"]["code"]) == (404, "resource_missing")


def test_every_operation_of_the_description_is_there():
    described = {
        (method.upper(), path)
        for path, methods in spec.document()["paths"].items()
        for method in methods
    }

    assert set(api.OPERATIONS) == described


def raw(sandbox, method, path, headers=None):
    connection = http.client.HTTPConnection(sandbox.base_url.removeprefix("http://"), timeout=5)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
