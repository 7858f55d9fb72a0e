"""Settings, read top to bottom. What differs between installations comes from the environment.

``.env.example`` lists the variables. A first start needs none of them: SQLite, Celery's file-system
transport and a random key, all under ``var/``.
"""

import secrets
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()  # SECRET_KEY_FILE=/run/secrets/key is read where SECRET_KEY is absent
environ.Env.read_env(BASE_DIR / ".env")

VAR_DIR = Path(env.str("GRANARY_VAR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)
ARTIFACT_ROOT = Path(env.str("ARTIFACT_ROOT", default=str(VAR_DIR / "artifacts")))


def local_secret_key() -> str:
    """A random key made at the first start and kept under var/, for one machine without set-up."""
    path = VAR_DIR / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(64))
    return path.read_text()


# --- core ---------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
PRODUCTION = env.bool("PRODUCTION", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or ("" if PRODUCTION else local_secret_key())
if PRODUCTION and (len(SECRET_KEY) < 50 or SECRET_KEY.startswith(("django-insecure", "change-me"))):
    raise ImproperlyConfigured(
        "PRODUCTION=true needs SECRET_KEY (or SECRET_KEY_FILE): 50 or more random characters."
    )
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("PRODUCTION=true refuses DEBUG=true: its error pages show settings.")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "config",
    "recommendations",
    "forecasting",
    "inventory",
    "catalog",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "config.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.AuditMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
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
                "config.navigation.navigation",
            ],
            "builtins": ["django.templatetags.i18n", "config.templatetags.ui"],
        },
    }
]

# --- databases ----------------------------------------------------------------------------------
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA foreign_keys=ON; "
    "PRAGMA recursive_triggers=ON;"  # without it INSERT OR REPLACE slips past the delete guards
)


def sqlite_database(path: Path, *, synchronous: str, timeout_seconds: float) -> dict[str, object]:
    return {
        "ENGINE": "config.sqlite3",
        "NAME": path,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": timeout_seconds,
            "init_command": SQLITE_PRAGMAS.format(synchronous=synchronous),
        },
    }


DATABASE_URL = env.str("DATABASE_URL", default="")
if DATABASE_URL:
    DATABASES = {"default": {**env.db_url("DATABASE_URL"), "ATOMIC_REQUESTS": False}}
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    # only `migrate` and the set-up of roles sign in as the owner of the tables
    DATABASE_OWNER = env.db_url("DATABASE_OWNER_URL") if env.str("DATABASE_OWNER_URL", "") else None
else:
    DATABASES = {
        "default": sqlite_database(
            VAR_DIR / "granary.sqlite3", synchronous="FULL", timeout_seconds=20
        ),
        "edge": sqlite_database(
            VAR_DIR / "edge.sqlite3", synchronous="NORMAL", timeout_seconds=0.05
        ),
    }
DATABASE_ROUTERS = ["config.routers.EdgeRouter"]

# --- people and sessions ------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "today"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [
    ["username", "ip_address"]
]  # a stranger cannot lock a user out elsewhere
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False  # no greeting at every start
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"

# --- language, time, formats --------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- static files -------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # half the files to compress
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("png", "jpg", "woff2", "gz", "br", "map", "txt", "json")
MEDIA_ROOT = VAR_DIR / "media"

# --- security -----------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # icons inside the style sheets are data: addresses
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
if PRODUCTION:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^live$", r"^ready$"]  # asked by a load balancer inside
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    if env.bool("BEHIND_TLS_PROXY", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- REST API -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "catalog.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["catalog.api.throttling.CallerThrottle"],
    "DEFAULT_PAGINATION_CLASS": "config.api.PageLimit",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "config.api_errors.exception_handler",
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Granary",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # many documents have a "state" and a "kind": each gets the name of its document
    "ENUM_NAME_OVERRIDES": {
        "CountKind": "inventory.models.StockCount.Kind",
        "CountState": "inventory.models.StockCount.State",
        "CustomerOrderState": "inventory.models.CustomerOrder.State",
        "PaymentState": "inventory.models.CustomerOrder.Payment",
        "StockDocumentKind": "inventory.models.StockDocument.Kind",
        "SuggestionState": "inventory.models.Suggestion.State",
        "TransferState": "inventory.models.Transfer.State",
        "TrueOrFalse": ["true", "false"],
    },
}
# Who orders: the head of purchase orders that go to suppliers; address lines are separated by "|".
COMPANY_NAME = env.str("COMPANY_NAME", default="Granary")
COMPANY_ADDRESS = env.str("COMPANY_ADDRESS", default="")

API_MAX_BODY_BYTES = 1024 * 1024  # a view for batches sets its own max_body_bytes
API_MAX_DEPTH = 32
# Requests per minute and key, by throttle scope.
API_RATE_LIMITS = {"events": 600, "recommend": 1200, "planning": 300, "webhooks": 600}

# --- runs and Celery ----------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # nobody asks, and its files would pile up
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
if CELERY_BROKER_URL.startswith("filesystem"):
    BROKER_DIR = VAR_DIR / "broker"
    for folder in ("queue", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.25,
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3600,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # a page must not wait for a broker that is away: the scheduler sends the message later
        "max_retries": 1,
        "interval_start": 0.1,
        "socket_connect_timeout": 2,
    }
RUN_LEASE_SECONDS = env.int("RUN_LEASE_SECONDS", default=60)
RUN_MAX_ATTEMPTS = 3
RUN_REDELIVER_SECONDS = env.int("RUN_REDELIVER_SECONDS", default=30)
RUN_WATCHDOG_SECONDS = env.int("RUN_WATCHDOG_SECONDS", default=120)
GPU_WAIT_MINUTES = env.int("GPU_WAIT_MINUTES", default=15)
PLAN_DAILY_AT_UTC = env.str("PLAN_DAILY_AT_UTC", default="03:00")

# --- logging ------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
