#!/usr/bin/env bash
# Builds dist/sse-monolith with the Python of a virtualenv that packaging/requirements.lock filled.
# Usage: packaging/build.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath --no-symlinks "$1")

# The same commit, the same bytes: no clock, no order of a hash table.
export PYTHONHASHSEED=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
BUILD_COMMIT=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH BUILD_COMMIT
# What is packed is what is installed, not what lies in this folder.
export PYTHONSAFEPATH=1

rm -rf build dist/sse-monolith
mkdir -p build/binary
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --no-index --force-reinstall .
"$python" -m PyInstaller --noconfirm --clean --log-level WARN \
    --workpath build/binary --distpath dist packaging/sse-monolith.spec
"$python" packaging/figures.py dist/sse-monolith
