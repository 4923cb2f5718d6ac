#!/bin/sh
# Write requirements.lock: every package of every extra, pinned, with hashes.
#
# torch alone stands without a hash, and scripts/setup.sh installs it with pip: its CPU build and its
# CUDA build carry the same version, and which one a machine wants is the machine's own setting
# (PIP_INDEX_URL, PIP_FIND_LINKS). What torch itself needs on a CPU is pinned like everything else.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
{
  echo '# Made by `make lock`. scripts/setup.sh installs exactly this.'
  printf '%s\n' 'filelock' 'fsspec' 'networkx' 'sympy>=1.13.3' 'onnxscript>=0.5,<1' 'safetensors>=0.5,<1' |
    "$UV" pip compile --quiet --no-header --no-annotate --generate-hashes --python-version 3.11 \
      --prerelease if-necessary-or-explicit "$@" \
      --extra dev --no-emit-package edgekit pyproject.toml - |
    sed '/^# The following packages were excluded/,$d'
  echo 'torch==2.13.0'
} >requirements.lock.new
mv requirements.lock.new requirements.lock
