"""Visitors of one network are told from those of another, and from our own proxies."""

import pytest
from django.test import RequestFactory

from coaching_site.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.4.77", "8.8.4.0/24"),
        ("::ffff:8.8.4.77", "8.8.4.0/24"),
        ("2001:4860:4860:1:2:3:4:5", "2001:4860:4860::/48"),
    ],
)
def test_a_network_is_as_coarse_as_what_one_household_or_firm_has(address, network):
    assert network_of(RequestFactory().get("/", REMOTE_ADDR=address)) == network


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "172.17.0.1", "::1", "fd00::1", "", "x"]
)
def test_what_may_be_everybody_behind_a_proxy_is_no_network(address):
    assert network_of(RequestFactory().get("/", REMOTE_ADDR=address)) == ""
