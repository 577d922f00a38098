"""The site's settings, with workers whose death is noticed after seconds instead of half a minute."""

from coaching_site.settings import *  # noqa: F403
from coaching_site.settings import PROCRASTINATE_WORKER_DEFAULTS as WORKER

PROCRASTINATE_WORKER_DEFAULTS = {**WORKER, "update_heartbeat_interval": 1}
