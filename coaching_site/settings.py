"""Settings: one file for every profile. Values an operator chooses come from the environment."""

from __future__ import annotations

from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

from coaching_site import environment, inlined, logs, tracing

ENV = environment.read()

# Lets annotations like ModelAdmin[Booking] exist at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = (BASE_DIR / ENV.data_folder).absolute()

# --- identity -------------------------------------------------------------------------------
SITE_PROFILE = ENV.profile
SITE_URL = ENV.site_url
SECRET_KEY = ENV.secret_key
# Links in mails are signed with keys of their own: they live for years and outlast SECRET_KEY.
LINK_KEYS = ENV.link_keys
DEBUG = False
ALLOWED_HOSTS = ENV.hosts
ROOT_URLCONF = "coaching_site.urls"
WSGI_APPLICATION = "coaching_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "coaching_site.desk.apps.DeskAdminConfig",
    "coaching_site.desk",
    "pages",
    "booking",
    "newsletter",
    "crispy_forms",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "procrastinate.contrib.django",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "coaching_site.middleware.request_ids",
    "coaching_site.middleware.trust_proxies",
    "django.middleware.security.SecurityMiddleware",
    "coaching_site.kept.known_at_once",
    "coaching_site.middleware.security_headers",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "coaching_site.middleware.gzip_texts",
    "coaching_site.middleware.plain_session_keys",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "pages.context.practice",
            ],
            "builtins": [
                "coaching_site.templatetags.german",
                "coaching_site.templatetags.page",
                "pages.templatetags.practice_data",
            ],
        },
    },
]

# --- database and jobs ----------------------------------------------------------------------
DATABASES = {
    "default": {
        **ENV.database,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **ENV.database.get("OPTIONS", {}),
            # One pool a process: as many connections as threads, plus one to spare.
            "pool": {"min_size": 1, "max_size": 10, "timeout": 10},
        },
    }
}
# Sync tasks run in threads; a stopping worker lets them finish for half a minute.
PROCRASTINATE_IMPORT_PATHS = ["coaching_site.jobs"]
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 4,
    "shutdown_graceful_timeout": 30,
    "worker_middleware": [tracing.follow],
}

# Public pages are kept until Postgres tells of a change. Tests that roll back never tell.
LISTENS_FOR_NEWS = ENV.profile != "test"
# How often pages are shown is written down every minute. Tests write when they want to.
WRITES_COUNTS = ENV.profile != "test"

# --- language and time ----------------------------------------------------------------------
LANGUAGE_CODE = "de"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
FORMAT_MODULE_PATH = "coaching_site.formats"
# Django’s own words, where the coach would read „Sie“ or English.
LOCALE_PATHS = [BASE_DIR / "coaching_site" / "locale"]

# --- files ----------------------------------------------------------------------------------
STATIC_URL = "/static/"
# The image brings its files along; a local site collects its own at every start.
STATIC_ROOT = (BASE_DIR if ENV.is_production else DATA_DIR) / "static_collected"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o640
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- backups --------------------------------------------------------------------------------
# Public keys: who may read backups. The host that writes them need not be able to.
BACKUP_RECIPIENTS = ENV.backing_up.recipients
BACKUP_FOLDER = BASE_DIR / (ENV.backing_up.folder or DATA_DIR / "backups")
# Another host they are carried to.
BACKUP_COPY = ENV.backing_up.copying

# --- mail -----------------------------------------------------------------------------------
MAIL_FOLDER = DATA_DIR / "mail"
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if ENV.mailing.host
    else "coaching_site.mail.FolderBackend"
)
EMAIL_HOST = ENV.mailing.host
EMAIL_PORT = ENV.mailing.port
EMAIL_HOST_USER = ENV.mailing.user
EMAIL_HOST_PASSWORD = ENV.mailing.password
EMAIL_USE_TLS = ENV.mailing.security == "starttls"
EMAIL_USE_SSL = ENV.mailing.security == "tls"
EMAIL_TIMEOUT = 15
EMAIL_USE_LOCALTIME = True
DEFAULT_FROM_EMAIL = ENV.mailing.sender
SERVER_EMAIL = ENV.mailing.sender
COACH_EMAIL = ENV.mailing.coach
# How long things may take while an issue is sent (newsletter.sending.timings), where not as usual.
SENDING_TIMINGS = ENV.sending_timings
# Where bounces come back to, and how that mailbox is read.
INBOX_ADDRESS = ENV.hearing.address
INBOX = ENV.hearing
# Only the webhooks of the library are used (newsletter.webhooks); mail leaves by SMTP.
ANYMAIL = {
    "WEBHOOK_SECRET": ENV.hearing.webhook_secret,
    "MAILGUN_WEBHOOK_SIGNING_KEY": ENV.hearing.mailgun_key,
}

# --- payments -------------------------------------------------------------------------------
STRIPE_SECRET_KEY = ENV.paying.secret_key
STRIPE_IS_LIVE = ENV.paying.is_live
STRIPE_WEBHOOK_SECRETS = ENV.paying.webhook_secrets
STRIPE_API_BASE = ENV.paying.api_base
# Where a form may lead to: browsers hold redirects of a sent form to it as well.
CHECKOUT_ORIGINS = (
    ["https://checkout.stripe.com"]
    if ENV.paying.api_base == environment.STRIPE_API
    else [ENV.paying.api_base]
)

# --- forms and sign-in ----------------------------------------------------------------------
CRISPY_ALLOWED_TEMPLATE_PACKS = "plain"
CRISPY_TEMPLATE_PACK = "plain"
CRISPY_FAIL_SILENTLY = False
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
# Offered everywhere; where guests' data are, the desk opens to nobody without it (DSGVO Art. 32).
SECOND_FACTOR_REQUIRED = ENV.is_production
# Under which name the coach finds the site in the app.
OTP_TOTP_ISSUER = ENV.hosts[0]

# --- security -------------------------------------------------------------------------------
TRUSTED_PROXIES = ENV.trusted_proxies
SECURE_SSL_REDIRECT = ENV.is_production
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 2 * 365 * 24 * 3600 if ENV.is_production else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENV.is_production
SECURE_HSTS_PRELOAD = ENV.is_production
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = ENV.is_production
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = ENV.is_production
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_AGE = None  # a session cookie: gone with the browser window (TDDDG § 25)
if ENV.is_production:
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
# The admin's „saved“ lives in the session: no third cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_FAILURE_VIEW = "pages.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, *inlined.SCRIPT_SOURCES],
        "style-src": [SELF, *inlined.STYLE_SOURCES],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF, *(CHECKOUT_ORIGINS if STRIPE_SECRET_KEY else [])],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
        # No script may write markup (W3C Trusted Types); the desk's jQuery does, see desk.site.
        "require-trusted-types-for": ["'script'"],
        "trusted-types": [NONE],
    }
}

# --- logs -----------------------------------------------------------------------------------
LOGGING = logs.configuration(
    ENV.log_format,
    {
        # The default handlers mail tracebacks to ADMINS; ours go to stderr only.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # A page that is not there is the visitor's business, not a warning.
        "django.request": {"level": "ERROR"},
        "procrastinate": {"level": "WARNING"},
        # It writes what the host of backups says, and who signs in there.
        "paramiko": {"level": "CRITICAL"},
        # At DEBUG the library writes names and addresses of those who pay.
        "stripe": {"level": "WARNING"},
        # It tells every table of every font it cuts down for a paper.
        "fontTools": {"level": "WARNING"},
    },
)
