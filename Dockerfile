# Two stages: wheels are unpacked in the first, the second has neither pip's cache nor a compiler.
FROM python:3.13-slim AS build
WORKDIR /site
COPY deploy/build deploy/build
COPY requirements/run.txt requirements/run.txt
RUN deploy/build packages /venv
COPY manage.py manage.py
COPY coaching_site coaching_site
COPY pages pages
COPY booking booking
COPY newsletter newsletter
COPY templates templates
COPY static static
RUN deploy/build static /venv

FROM python:3.13-slim
# pg_dump and pg_restore, for backups. Debian's own are older than the server in compose.yaml, and an
# older one refuses; with another server, give its major version here.
ARG POSTGRES_MAJOR=18
ADD --chmod=644 --checksum=sha256:0144068502a1eddd2a0280ede10ef607d1ec592ce819940991203941564e8e76 \
    https://www.postgresql.org/media/keys/ACCC4CF8.asc /usr/share/keyrings/pgdg.asc
RUN . /etc/os-release \
    && echo "deb [signed-by=/usr/share/keyrings/pgdg.asc] https://apt.postgresql.org/pub/repos/apt $VERSION_CODENAME-pgdg main" \
    > /etc/apt/sources.list.d/pgdg.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends "postgresql-client-$POSTGRES_MAJOR" \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    BIND_HOST=0.0.0.0 DATA_FOLDER=/data
RUN useradd --system --uid 10001 site && install -d -o site /data
WORKDIR /site
COPY --from=build /venv /venv
COPY --from=build /site /site
USER site
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "manage.py", "healthcheck"]
CMD ["gunicorn", "-c", "coaching_site/gunicorn.py"]
