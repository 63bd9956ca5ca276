# syntax=docker/dockerfile:1
# OnAir's own images, one a target, built from the repository's root:
#   docker build -f k8s/images/onair.Dockerfile --target feature-service -t onair/feature-service:0.1.0 .
#   docker build -f k8s/images/onair.Dockerfile --target training -t onair/training:0.1.0 .
# A release pins the base image by the digest in its own registry: --build-arg BASE=python@sha256:…
ARG BASE=python:3.11.13-slim-bookworm

FROM ${BASE} AS tools
WORKDIR /source
COPY requirements/ requirements/
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r requirements/uv.txt
COPY pyproject.toml README.md ./
COPY protos/ protos/
COPY serving/ serving/
COPY feature_service/ feature_service/
COPY training/ training/
# What builds the package is pinned too: the development requirements are its constraints.
RUN /opt/uv/bin/uv build --wheel --no-cache --require-hashes --build-constraints requirements/development-py311.txt \
      --out-dir /wheel

FROM tools AS service-environment
RUN python -m venv --without-pip /opt/onair && \
    /opt/uv/bin/uv pip install --python /opt/onair/bin/python --no-cache --compile-bytecode --no-deps --require-hashes \
      -r requirements/service-image-py311.txt && \
    /opt/uv/bin/uv pip install --python /opt/onair/bin/python --no-cache --compile-bytecode --no-deps /wheel/onair-*.whl

FROM tools AS training-environment
RUN python -m venv --without-pip /opt/onair && \
    /opt/uv/bin/uv pip install --python /opt/onair/bin/python --no-cache --compile-bytecode --no-deps --require-hashes \
      -r requirements/training-py311.txt && \
    /opt/uv/bin/uv pip install --python /opt/onair/bin/python --no-cache --compile-bytecode --no-deps /wheel/onair-*.whl

# The feature service and the console: no TensorFlow.
FROM ${BASE} AS feature-service
COPY --from=service-environment /opt/onair /opt/onair
# A volume of Docker's that is mounted there belongs to who owns the folder.
RUN install --directory --owner=10001 --group=10001 /data
# Modules were compiled above, for the root is read-only when it runs; logs appear as they are written.
ENV PATH=/opt/onair/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["python", "-m", "feature_service"]

# Training, the worker, and what lands and commits for Flink.
FROM ${BASE} AS training
# LightGBM's wheel leaves its threads to the system's library.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=training-environment /opt/onair /opt/onair
# The home that libraries want for their caches is the scratch volume; BLAS within implicit's threads only slows them down.
ENV PATH=/opt/onair/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp OPENBLAS_NUM_THREADS=1
USER 10001:10001
ENTRYPOINT ["python", "-m", "training"]
