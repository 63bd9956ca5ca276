#!/bin/bash
# Makes an environment a peer, with pinned versions; what is there already stays. Some gigabytes, for torch.
# Usage: install.sh UV FOLDER
set -euo pipefail
uv=$1 folder=$2

environment() {
    local name=$1
    shift
    [ -e "$folder/$name/.complete" ] && return
    "$uv" venv --quiet --clear "$folder/$name"
    "$uv" pip install --quiet --python "$folder/$name/bin/python" "$@"
    touch "$folder/$name/.complete"
}

# DeepCTR wants the wheel `tensorflow` by name; the CPU's, beside it, is the same code.
environment deepctr numpy==2.4.6 tensorflow-cpu==2.21.0 tf-keras==2.21.0 requests h5py
"$uv" pip install --quiet --python "$folder/deepctr/bin/python" --no-deps deepctr==0.9.4
environment deepctr_torch numpy==2.4.6 torch==2.13.0 deepctr-torch==0.3.0
environment librecommender numpy==1.26.4 tensorflow-cpu==2.15.1 torch==2.13.0 pandas==2.3.3 librecommender==1.5.2
