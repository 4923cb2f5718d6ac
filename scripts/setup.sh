#!/bin/sh
# Make .venv and install exactly what requirements.lock says. Safe to repeat; a second run does nothing.
#
#   scripts/setup.sh          what the demo needs: everything but torch
#   scripts/setup.sh torch    torch as well, which the tests need
#
# It installs Python packages into .venv. The one thing it may install outside is Debian's python3-venv,
# and only when Python came without ensurepip and this user may run apt-get.
set -eu
cd "$(dirname "$0")/.."
want=${1:-base}
stamp=.venv/.edgekit-$want
lock=$(cksum requirements.lock pyproject.toml scripts/setup.sh)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ] && exit 0

say() { printf '%s\n' "setup: $*" >&2; }
die() { say "$*"; exit 7; }

find_python() {
  for candidate in ${EDGEKIT_PYTHON:-} python3.11 python3 python3.12 python3.13; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"
      return
    fi
  done
}

make_venv() {
  python=$(find_python)
  [ -n "$python" ] || die 'no Python 3.11 or later found. Install it (Debian: apt-get install python3), or set EDGEKIT_PYTHON.'
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root='sudo -n'
    if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
      say "$python has no ensurepip: installing Debian's python3-venv (about 6 MB)"
      { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends python3-venv; } >&2 ||
        die "apt-get could not install python3-venv. Install it by hand and run this again."
    else
      die "$python has no ensurepip. Install it (Debian: sudo apt-get install python3-venv) and run this again."
    fi
  fi
  say "making .venv with $("$python" --version)"
  "$python" -m venv .venv
}

install() { # install COMMAND...: what the requirements on stdin say, or nothing of it
  "$@" || die 'not installed, see above. If a hash is what differs, a file is not the one that requirements.lock was made
       with, and nothing of it was run: find out why before you use where it came from. Else run this again.'
}
locked() { sed -n "/^$1==/,/[^\\\\]\$/p" requirements.lock; } # the lines of one package

# An interrupted first run can leave an environment without pip.
[ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null || { rm -rf .venv; make_venv; }
rm -f .venv/.edgekit-* # until this ends well, .venv is of no lock
pip='.venv/bin/python -m pip --quiet --disable-pip-version-check'
uv='.venv/bin/uv pip'
if ! [ -x .venv/bin/uv ]; then
  say 'installing uv, which installs the rest in parallel'
  locked uv | install $pip install --no-deps --only-binary :all: --require-hashes --requirement /dev/stdin
fi
# uv trusts a list of its own; a company's proxy is known to the machine's list, as pip uses it.
if [ -z "${SSL_CERT_FILE:-}" ] && [ -r /etc/ssl/certs/ca-certificates.crt ]; then
  SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
  export SSL_CERT_FILE
fi
VIRTUAL_ENV=$PWD/.venv
export VIRTUAL_ENV
say 'installing the packages of requirements.lock (about 600 MB to download the first time)'
# What builds packages comes first, from the lock too: an isolated build would fetch the newest there is, unchecked.
for name in setuptools hatchling editables packaging pathspec pluggy tomlkit trove-classifiers; do locked $name; done |
  install $uv install --quiet --no-deps --only-binary :all: --require-hashes --requirements -
# Compiled now, once: otherwise the first import of TensorFlow takes three times as long.
sed '/^torch==/,$d' requirements.lock |
  install $uv install --quiet --compile-bytecode --no-build-isolation --require-hashes --requirements -
# Before its name was edgekit-mcu: uninstalled later, it would take the command away with it.
old=$(.venv/bin/python -I scripts/old_name.py "$PWD") || exit 7
[ -z "$old" ] || $uv uninstall --quiet "$old"
$uv install --quiet --no-deps --no-build-isolation --editable . || die 'this checkout was not installed, see above'
if [ "$want" = torch ]; then
  version=$(locked torch | sed -n '1s/^torch==\([^ ]*\) .*/\1/p')
  case $(.venv/bin/python -I -c 'from importlib.metadata import version; print(version("torch"))' 2>/dev/null) in
    "$version" | "$version"+*) ;;
    *)
      say "installing torch $version"
      # First the machine's settings say which build, then that file must be one of those that the lock lists: asked
      # for both at once, pip prefers the CUDA build of PyPI to a file at hand. A CPU build suffices:
      # PIP_INDEX_URL=https://download.pytorch.org/whl/cpu avoids gigabytes of CUDA.
      rm -rf .venv/torch
      install $pip download --no-deps --only-binary :all: --dest .venv/torch "torch==$version"
      locked torch | install $pip install --no-deps --no-index --find-links .venv/torch --require-hashes --requirement /dev/stdin
      rm -rf .venv/torch
      ;;
  esac
  if grep -Eqs '^Requires-Dist: (cuda|nvidia)-' .venv/lib/python*/site-packages/"torch-$version"*/METADATA; then
    sed '1,/^# CUDA builds/d' requirements.lock |
      install $uv install --quiet --no-deps --only-binary :all: --require-hashes --requirements -
  fi
fi
for done in base "$want"; do printf '%s' "$lock" >".venv/.edgekit-$done"; done
