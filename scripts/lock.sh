#!/bin/sh
# Write requirements.lock: every package of every extra, uv and torch, pinned, with the hashes of its published
# files. Versions stay as they are where they can; `--upgrade` takes the newest.
#
# torch stands behind the others, because scripts/setup.sh installs it in another way: its CPU builds (of PyTorch's
# own index) and its CUDA builds (of PyPI) carry the same version, and which one a machine wants is the machine's
# own setting (PIP_INDEX_URL, PIP_FIND_LINKS). So any of a set of hashes will do, those of both. Last stands what a
# CUDA build needs besides; what a CPU build needs is among the others.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
TORCH=2.13.0
CPU_INDEX=https://download.pytorch.org/whl/cpu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '%s\n' "lock: $*" >&2; }

compile() { # compile FILE OPTION...: requirements from stdin; FILE already has the versions to keep, if any
  file=$1
  shift
  "$UV" pip compile --quiet --no-header --no-annotate --generate-hashes --python-version 3.11 "$@" \
    --output-file "$file" - >/dev/null &&
    sed -i '/^# The following packages were excluded/,$d' "$file"
}

cp requirements.lock "$work/base"
printf '%s\n' uv filelock fsspec networkx 'sympy>=1.13.3' 'onnxscript>=0.5,<1' 'safetensors>=0.5,<1' |
  compile "$work/base" --prerelease if-necessary-or-explicit "$@" --extra dev --no-emit-package edgekit-mcu pyproject.toml

echo "torch==$TORCH" | compile "$work/torch" --no-deps
if ! echo "torch==$TORCH+cpu" | compile "$work/cpu" --no-deps --index-url "$CPU_INDEX"; then
  sed -n "/^torch==$TORCH /,/[^\\\\]\$/p" requirements.lock >"$work/cpu"
  [ -s "$work/cpu" ] || { say "cannot ask $CPU_INDEX for the hashes of torch $TORCH"; exit 7; }
  say "cannot ask $CPU_INDEX: the hashes of torch $TORCH that the lock has stay in it"
fi

cp requirements.lock "$work/cuda"
# shellcheck disable=SC2046 # a list of options
echo "torch==$TORCH" | compile "$work/cuda" "$@" --constraint "$work/base" --no-emit-package torch \
  $(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' "$work/base")

{
  echo '# Made by `make lock`. scripts/setup.sh installs exactly this.'
  cat "$work/base"
  printf 'torch==%s' "$TORCH"
  grep -ho 'sha256:[0-9a-f]*' "$work/torch" "$work/cpu" | sort -u |
    while read -r hash; do printf ' \\\n    --hash=%s' "$hash"; done
  printf '\n# CUDA builds of torch alone need these.\n'
  cat "$work/cuda"
} >requirements.lock.new
mv requirements.lock.new requirements.lock
