# The program with everything it needs, for compose.yaml or any other container engine.
# Nothing secret goes in: addresses and passwords come as environment variables when it runs.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/zoufang \
 && /opt/zoufang/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && pip install --no-cache-dir --require-hashes --target /build-tools -r requirements-build.lock
COPY . .
RUN PYTHONPATH=/build-tools /opt/zoufang/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/zoufang --create-home zoufang \
 && install --directory --mode=0700 --owner=zoufang /var/lib/zoufang /var/lib/zoufang-keys /var/lib/zoufang-backups
COPY --from=build /opt/zoufang /opt/zoufang
ENV PATH=/opt/zoufang/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ZOUFANG_DATA=/var/lib/zoufang \
    ZOUFANG_KEYS=/var/lib/zoufang-keys/keys.json \
    ZOUFANG_HOST=0.0.0.0
VOLUME ["/var/lib/zoufang", "/var/lib/zoufang-keys"]
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"ZOUFANG_PORT\", 8000)}/health/ready', timeout=4)"]
CMD ["zoufang", "serve"]
