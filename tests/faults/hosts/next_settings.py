"""The settings of a later version of the site, which brings a migration along."""

from tests.faults.hosts.settings import *  # noqa: F403
from tests.faults.hosts.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = [*APPS, "tests.faults.hosts.next_version"]
