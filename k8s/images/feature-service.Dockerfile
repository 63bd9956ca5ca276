# syntax=docker/dockerfile:1
# The feature service and the console: no TensorFlow. Build it from the repository's root:
#   docker build -f k8s/images/feature-service.Dockerfile -t onair/feature-service:0.1.0 .
# A release pins the base image by the digest in its own registry: --build-arg BASE=python@sha256:…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY requirements/ requirements/
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r requirements/uv.txt
RUN python -m venv --without-pip /opt/onair && \
    /opt/uv/bin/uv pip install --python /opt/onair/bin/python --no-cache --compile-bytecode --no-deps --require-hashes \
      -r requirements/service-py311.txt
COPY pyproject.toml README.md ./
COPY protos/ protos/
COPY serving/ serving/
COPY feature_service/ feature_service/
COPY training/ training/
# What builds the package is pinned too: the development requirements are its constraints.
RUN /opt/uv/bin/uv build --wheel --no-cache --require-hashes --build-constraints requirements/development-py311.txt \
      --out-dir /wheel && \
    /opt/uv/bin/uv pip install --python /opt/onair/bin/python --no-cache --compile-bytecode --no-deps /wheel/onair-*.whl

FROM ${BASE}
COPY --from=build /opt/onair /opt/onair
# Modules were compiled above, for the root is read-only when it runs; logs appear as they are written.
ENV PATH=/opt/onair/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["python", "-m", "feature_service"]
