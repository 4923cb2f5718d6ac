#!/bin/sh
# Install the programs that the tests run, from Debian's packages, saying which and how large. Does nothing twice.
#
#   gcc      compiles the firmware of the host board, with the sanitizers that the kernel tests use
set -eu

missing=
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need gcc 'gcc libc6-dev'

[ -n "$missing" ] || exit 0
say() { printf '%s\n' "tools: $*" >&2; }
as_root=
[ "$(id -u)" = 0 ] || as_root='sudo -n'
command -v apt-get >/dev/null && $as_root true 2>/dev/null || {
  say "missing:$missing. Install them with your package manager (Debian: sudo apt-get install$missing)."
  exit 7
}
$as_root apt-get update -qq >&2
# shellcheck disable=SC2086 # a list of package names
size=$(apt-get install --print-uris -y --no-install-recommends $missing | awk "/^'/ { sum += \$3 } END { printf \"%d\", sum / 1e6 }")
say "installing$missing (about $size MB to download)"
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >&2
