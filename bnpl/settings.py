"""All settings of the platform. BNPL_POSTURE selects one of three postures: local, test or production, the default."""

import os
from pathlib import Path

from csp.constants import NONE, SELF

from bnpl.env import Environment, celery_broker_url
from bnpl.logs import configure_logging

env = Environment(os.environ)
BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = env.is_production
TESTING = env.posture == "test"

# The local stack is ready once this file of demo credentials exists.
home = env.get_text("BNPL_HOME") if env.posture == "local" else ""
DEMO_FILE = Path(home) / "demo.json" if home else None

SECRET_KEY, SECRET_KEY_FALLBACKS = env.secret_key(), env.secret_key_fallbacks()
DEBUG = env.debug()
BASE_URL = env.base_url()
ALLOWED_HOSTS = env.allowed_hosts()
HTTPS = BASE_URL.startswith("https://")
# The number of trusted proxies in front. 0 ignores X-Forwarded-*.
NUM_PROXIES = env.get_int("NUM_PROXIES", 0)

# The token to read /metrics (bnpl.metrics). Empty in production: /metrics is disabled.
METRICS_TOKEN = env.metrics_token()

# Keys of personal data as {id: 32 bytes}, the first one encrypts; of the blind index; and of signed proofs.
PII_KEYS = env.pii_keys()
BLIND_INDEX_KEY, PROOF_KEYS = env.blind_index_key(), env.proof_keys()

INSTALLED_APPS = [
    "kernel.console_site.ConsoleConfig",
    *(f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "messages", "staticfiles")),
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "kernel",
    "ledger",
    "accounts",
    "merchants",
    "credit",
    "orders",
    "billing",
    "portal",
    "personal",
    "office",
    "bnpl",
]

MIDDLEWARE = [
    "bnpl.health.ProbesMiddleware",
    "kernel.request_log.RequestLogMiddleware",
    "bnpl.noindex.NoIndexMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "bnpl.api_bypass.ApiBypassStart",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "office.middleware.SecondFactorMiddleware",
    "bnpl.api_bypass.ApiBypassEnd",
    "bnpl.unavailable.UnavailableMiddleware",
]

ROOT_URLCONF = "bnpl.urls"
WSGI_APPLICATION = "bnpl.wsgi.application"
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
            ]
        },
    }
]

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# broker and cache
REDIS_URL = env.broker_url()
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.cache_url(),
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
}

# Rate limits of an API key's reads and writes, and of an IP address without a valid key (kernel.rate_limits).
RATES = {
    "read": env.get_rate("RATE_READ", "6000/60"),
    "write": env.get_rate("RATE_WRITE", "3000/60"),
    "address": env.get_rate("RATE_ADDRESS", "300/60"),
    # Texts to phone numbers without an account (accounts.sms_limits).
    "texts": env.get_rate("RATE_TEXTS", "100000/3600" if TESTING else "1200/3600"),
}

# Celery only triggers jobs and keeps no state: a task may run 0, 1 or many times.
CELERY_BROKER_URL = celery_broker_url(REDIS_URL)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 110
CELERY_TASK_TIME_LIMIT = 120
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,  # more than twice the hard time limit, or a long task would be delivered again
    "unacked_restore_interval": 5,  # kombu's default of 10 × 10 s leaves a killed worker's task waiting for minutes
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 0.8,
    "socket_timeout": 5,
    "max_retries": 0,
}
CELERY_BROKER_CONNECTION_TIMEOUT = 0.8
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True  # a broker that is full or read-only does not end a worker either
CELERY_TASK_PUBLISH_RETRY = False  # a failed trigger is reported at once; the next sweep finds the same rows
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE, CELERY_ENABLE_UTC = "UTC", True
CELERY_BEAT_SCHEDULER = "bnpl.beat_scheduler:ResettableScheduler"
CELERY_DB_REUSE_MAX = 1_000_000_000  # bnpl.celery closes broken connections itself, and only those

# sign-in
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
#: The lifetime of a password reset link, in seconds.
PASSWORD_RESET_TIMEOUT = 3600
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]  # memory makes guessing expensive
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests sign in hundreds of times
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_SERIALIZER = "accounts.sessions.SealedSerializer"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
CONSOLE_SECOND_STEP = env.production_flag("CONSOLE_SECOND_STEP")  # required of colleagues by office.middleware
# Outside production texts and emails appear on /dev/messages; in production SMS_BACKEND names the real sender.
LOCAL_MESSAGES = not PRODUCTION
SMS_BACKEND = env.required("SMS_BACKEND", "accounts.messaging.LocalTexts")
SMS_COUNTRIES = env.phone_prefixes("SMS_COUNTRIES")  # countries texts may be sent to; unset is everywhere
# Finds notices that are outdated just before they are sent; a setting because accounts does not import billing.
NOTICES_STANDING = "billing.services.stale_notices.find_stale_notices"
STAFF_TOLD = "portal.services.letters.queue_security_letter"  # emails merchants' staff; accounts does not import portal
ALLAUTH_TRUSTED_PROXY_COUNT = NUM_PROXIES
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"phone"}
ACCOUNT_SIGNUP_FIELDS = ["phone*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None  # only colleagues have one, and they do not sign in with allauth
ACCOUNT_USER_DISPLAY = "accounts.adapter.display_name"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = ACCOUNT_PHONE_VERIFICATION_TIMEOUT = 300
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = ACCOUNT_PHONE_VERIFICATION_MAX_ATTEMPTS = 3
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = ACCOUNT_PHONE_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_RATE_LIMITS = {  # "key" is the phone; a carrier puts thousands of people behind one "ip"
    "login": "60/m/ip",
    "signup": "30/m/ip",
    "request_login_code": "60/m/ip,3/m/key,10/h/key",
    "verify_phone": "60/m/ip,1/30s/key,10/h/key",
    "manage_email": "2/m/user,10/h/user",
    "try_code": "3/5m/key",  # of one code, also for concurrent tries (accounts.pages.sign_in)
    "verify_identity": "10/d/key",  # by one person: each try reveals whether an ID number matches
    "join": "30/m/ip,5/5m/key",  # of one enrolment code
    "confirm_address": "5/h/key",  # of one invitation, and to one address
}
MFA_ADAPTER = "accounts.second_factor.MfaAdapter"  # encrypts its secrets
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "先享后付"

EMAIL_BACKEND = "accounts.messaging.LocalMail" if LOCAL_MESSAGES else "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = env.get_text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.get_int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.get_text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.get_text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS, EMAIL_TIMEOUT = env.get_flag("EMAIL_USE_TLS"), 10
DEFAULT_FROM_EMAIL = env.get_text("DEFAULT_FROM_EMAIL", "bnpl@localhost")
SUPPORT_CONTACT = env.get_text("SUPPORT_CONTACT")  # how customers reach support, in one line

# API
REST_FRAMEWORK = {
    # Access is denied by default: each view names its authentication and permissions (merchants.access).
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "kernel.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": NUM_PROXIES,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "先享后付 · use now, pay later: merchant API",
    "DESCRIPTION": "Amounts are integers in minor units, times RFC 3339 in UTC, IDs prefixed. Guide: [/docs/](/docs/)",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/v1",
    "SCHEMA_PATH_PREFIX_TRIM": False,
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": ["bnpl.openapi.postprocess_schema"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Webhooks are sent to public https URLs on these ports; outside production also by plain http and to this machine.
WEBHOOKS_AT_HOME = env.nonproduction_flag("WEBHOOKS_AT_HOME")
WEBHOOK_PORTS = env.get_ports("WEBHOOK_PORTS", "443")

# browser
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if NUM_PROXIES else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
COOKIE_PREFIX = "__Host-" if HTTPS else ""  # browsers accept this prefix over https only
SESSION_COOKIE_NAME = COOKIE_PREFIX + "session"
CSRF_COOKIE_NAME = COOKIE_PREFIX + "csrf"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
LANGUAGE_COOKIE_NAME = COOKIE_PREFIX + "language"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],  # the QR code of a second factor is a data URL
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
    }
}

# static files
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.get_text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [folder for folder in (BASE_DIR / "static",) if folder.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": {
            "production": "whitenoise.storage.CompressedManifestStaticFilesStorage",
            "local": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",  # compressing takes seconds
            "test": "django.contrib.staticfiles.storage.StaticFilesStorage",
        }[env.posture]
    },
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = TESTING  # tests serve the sources; nothing is collected for them

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"
# The time zone of times entered in console forms; it is shown beside the field.
CONSOLE_ZONE = env.time_zone("CONSOLE_ZONE", "Asia/Shanghai")
LOGGING = configure_logging(readable=not PRODUCTION, level=env.log_level())
