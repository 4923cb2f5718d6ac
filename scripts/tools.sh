#!/bin/sh
# Install the programs that the tests run, from Debian's packages, saying which and how large. Does nothing twice.
#
#   gcc                      compiles the firmware of the host board, with the sanitizers that the kernel tests use
#   g++                      links the Arduino library's examples as programs of this machine, and C++ of the runtime tflm
#   gcc-arm-none-eabi        ... of the boards with a Cortex-M
#   gcc-riscv64-unknown-elf  ... of the board with a RISC-V
#   gcc-xtensa-lx106         ... of the board with an Xtensa
#   gcc-arc-linux-gnu        ... of the board with an ARC
#   qemu-system-arm          runs the first of these
#   qemu-system-misc         runs RISC-V and Xtensa; nothing here runs ARC
#
# With the argument `fuzz`, what `make fuzz` needs besides:
#
#   clang, libclang-rt-dev   libFuzzer
set -eu

missing=
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need gcc 'gcc libc6-dev'
need g++ g++
need arm-none-eabi-g++ gcc-arm-none-eabi # C++ too, in the same package
need riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
need xtensa-lx106-elf-g++ gcc-xtensa-lx106
need arc-linux-gnu-gcc gcc-arc-linux-gnu
need qemu-system-arm qemu-system-arm
need qemu-system-xtensa qemu-system-misc
if [ "${1:-}" = fuzz ]; then
  need clang clang
  runtime=$(clang -print-resource-dir 2>/dev/null || true)
  ls "$runtime"/lib/*/libclang_rt.fuzzer[-.]* >/dev/null 2>&1 || missing="$missing libclang-rt-dev"
fi

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
