#!/usr/bin/env bash
# Makes an environment a peer from its hash-pinned requirements; one that is complete stays. About 8 GB, most of it torch.
# Usage: install.sh UV FOLDER
set -euo pipefail
uv=$1 folder=$2

for peer in deepctr deepctr_torch librecommender; do
    pins=requirements/peers-$peer.txt
    cmp --silent "$pins" "$folder/$peer/.complete" && continue
    # LibRecommender has wheels up to Python 3.11.
    "$uv" venv --quiet --clear --python "${PYTHON3_11:-python3.11}" "$folder/$peer"
    "$uv" pip install --quiet --python "$folder/$peer/bin/python" --no-deps --require-hashes -r "$pins"
    rm -rf "$folder/$peer"/lib/python3.11/site-packages/tests # DeepCTR-torch ships one, which would hide ours.
    cp "$pins" "$folder/$peer/.complete"
done
