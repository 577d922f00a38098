"""How gunicorn serves the site. `PORT`, `BIND_HOST` and `WEB_WORKERS` come from the environment."""

import gc
import importlib
import os

from environs import Env

from coaching_site import counters, environment, logs

# Other people's code, read once and shared by all processes. Ours is read by each: a reload brings it anew.
SHARED = (
    "PIL.Image",
    "css_inline",
    "django.contrib.admin.options",
    "django.contrib.postgres.fields",
    "django.contrib.staticfiles",
    "django.core.handlers.wsgi",
    "django.template.defaulttags",
    "email_validator",
    "holidays",
    "markdown_it",
    "nh3",
    "procrastinate",
    "psycopg_pool",
    "recurring_ical_events",
    "stripe",
    "whitenoise.middleware",
)
for library in SHARED:
    importlib.import_module(library)

wsgi_app = "coaching_site.wsgi"
bind = f"{os.environ.get('BIND_HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = 4
timeout = 30
graceful_timeout = 30
keepalive = 5
max_requests = 10_000
max_requests_jitter = 1_000
preload_app = False
# The same proxies the middleware trusts may say that a request came in over HTTPS.
forwarded_allow_ips = os.environ.get("TRUSTED_PROXIES", "127.0.0.1")
# Addresses and links with tokens stay out of logs; the reverse proxy counts requests.
accesslog = None
errorlog = "-"
loglevel = os.environ.get("GUNICORN_LOG_LEVEL", "warning")
# As the site itself writes: the server names addresses of those who send nonsense.
logconfig_dict = logs.configuration(
    environment.log_format(Env(), os.environ.get("SITE_PROFILE", "production")),
    {"gunicorn.error": {"handlers": ["stderr"], "level": loglevel.upper(), "propagate": False}},
)
# It would open a control socket in the home folder.
control_socket_disable = True


def pre_fork(server: object, worker: object) -> None:
    """What the processes share is never looked through for garbage: that would copy it into each."""
    gc.collect()
    gc.freeze()


def worker_exit(server: object, worker: object) -> None:
    """What a worker has counted is written down before it goes."""
    counters.write()
