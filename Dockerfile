FROM python:3.11-slim AS build
COPY requirements/base.txt requirements/fonts.txt /requirements/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /requirements/base.txt -r /requirements/fonts.txt

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin bnpl
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=bnpl.settings BNPL_POSTURE=production
# The secrets of this one command are made for it and forgotten with it: production refuses to load without any.
RUN key() { python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'; } \
 && SECRET_KEY="$(key)$(key)" PII_KEYS="k1:$(key)" BLIND_INDEX_KEY="$(key)" PROOF_KEYS="p1:$(key)" \
    BASE_URL=https://build.invalid DATABASE_URL=postgresql://build.invalid/bnpl REDIS_URL=redis://build.invalid/0 \
    SMS_BACKEND=build.sends.Nothing \
    python manage.py collectstatic --no-input
USER bnpl
EXPOSE 8000
CMD ["granian", "--interface", "rsgi", "--loop", "uvloop", "--http", "1", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--no-ws", "--http1-header-read-timeout", "30000", "--http1-buffer-size", "65536", "--backlog", "2048", "--backpressure", "2048", "--respawn-failed-workers", "--workers-kill-timeout", "10", "bnpl.rsgi:application"]
