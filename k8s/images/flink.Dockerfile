# syntax=docker/dockerfile:1
# Flink with the Python environment of the samples' job, its code, and the jars with which it reads Kafka. From the root:
#   docker build -f k8s/images/flink.Dockerfile -t onair/flink:0.1.0 .
# A release pins the base images by the digests in its own registry.
ARG FLINK=flink:2.2.0-scala_2.12-java17
ARG MAVEN=maven:3.9.9-eclipse-temurin-17
ARG PYTHON=python:3.11.13-bookworm
ARG BASE=python:3.11.13-slim-bookworm

FROM ${MAVEN} AS jars
# The very jars that the tests run Flink with, held to their checksums.
COPY tests/clusters/flink/ /jars/
RUN mvn --batch-mode --quiet --file /jars/pom.xml dependency:copy-dependencies -DoutputDirectory=/jars/lib && \
    cd /jars/lib && sha256sum --check --quiet --strict ../jars.sha256

FROM ${FLINK} AS flink

# With a compiler, for what of PyFlink's requirements has no wheel.
FROM ${PYTHON} AS environment
WORKDIR /source
COPY requirements/ requirements/
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r requirements/uv.txt
RUN python -m venv --without-pip /opt/pyflink && \
    /opt/uv/bin/uv pip install --python /opt/pyflink/bin/python --no-cache --compile-bytecode --no-deps --require-hashes \
      --build-constraints requirements/pyflink.txt -r requirements/pyflink.txt
COPY protos/ protos/
COPY serving/ serving/
COPY feature_service/ feature_service/
COPY training/ training/
RUN /opt/pyflink/bin/python training/streaming/flink/bundle.py /opt/onair

# Flink's own image has an older Python; so its files come to ours, with their Java and their entry point.
FROM ${BASE}
COPY --from=flink /opt/java/openjdk /opt/java/openjdk
COPY --from=flink /opt/flink /opt/flink
COPY --from=flink /docker-entrypoint.sh /docker-entrypoint.sh
COPY --from=jars /jars/lib/ /opt/flink/lib/
COPY --from=environment /opt/pyflink /opt/pyflink
COPY --from=environment /opt/onair /opt/onair
ENV FLINK_HOME=/opt/flink JAVA_HOME=/opt/java/openjdk PYTHONDONTWRITEBYTECODE=1
ENV PATH=/opt/flink/bin:/opt/java/openjdk/bin:/opt/pyflink/bin:$PATH
WORKDIR /opt/flink
USER 10001:10001
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["help"]
