#!/usr/bin/env bash
# Fetches what the cluster tests start: jars by Maven, held to their checksums, and servers in environments of their own.
# Usage: install.sh UV FOLDER
set -euo pipefail
uv=$1 folder=$2

for pom in tests/clusters/*/pom.xml; do
    name=$(basename "$(dirname "$pom")") sums=$PWD/tests/clusters/$(basename "$(dirname "$pom")")/jars.sha256
    cmp --silent "$sums" "$folder/$name/.complete" && continue
    rm -rf "${folder:?}/$name"
    mvn --batch-mode --quiet --file "$pom" dependency:copy-dependencies -DoutputDirectory="$(realpath -m "$folder/$name")"
    (cd "$folder/$name" && sha256sum --check --quiet --strict "$sums" && diff <(ls) <(sed 's/.* //' "$sums" | sort))
    cp "$sums" "$folder/$name/.complete"
done

for name in object-store pyflink; do
    pins=requirements/$name.txt
    cmp --silent "$pins" "$folder/$name/.complete" && continue
    "$uv" venv --quiet --clear --python .venv/bin/python "$folder/$name"
    "$uv" pip install --quiet --python "$folder/$name/bin/python" --no-deps --require-hashes -r "$pins"
    cp "$pins" "$folder/$name/.complete"
done
