#!/usr/bin/env bash
# Compiles the hash-pinned requirement files: one an environment and Python.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() { # compile PYTHON OUTPUT ARGUMENTS...
  "$uv" pip compile --quiet --generate-hashes --no-header --python-platform x86_64-unknown-linux-gnu \
    --override requirements/overrides.txt --python-version "$1" --output-file "requirements/$2" "${@:3}"
}

for version in 3.11 3.12; do
  tag=py${version/./}
  compile "$version" "service-$tag.txt" pyproject.toml
  compile "$version" "training-$tag.txt" pyproject.toml --extra all requirements/cpu.in
  compile "$version" "development-$tag.txt" pyproject.toml --extra all --group development requirements/cpu.in
done
compile 3.11 service-image-py311.txt pyproject.toml --extra redis --extra kafka --extra tracing
compile 3.11 uv.txt requirements/uv.in
compile 3.11 object-store.txt requirements/object-store.in
compile 3.11 pyflink.txt requirements/pyflink.in
# What training is measured beside; LibRecommender has no wheel for a later Python.
for peer in deepctr deepctr_torch librecommender; do
  compile 3.11 "peers-$peer.txt" "requirements/peers-$peer.in"
done
