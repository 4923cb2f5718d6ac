"""What a board file may ask for without `--trust-board`: flags, compilers, emulators.

A compiler can be told to run programs, to read its flags elsewhere and to write anywhere, in more ways than
anybody lists. So what may be said is listed, not what may not, and every board file is held to it, ours too.
docs/reference/boards.md shows the lists.
"""

import re
from collections.abc import Sequence

SCRIPT = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}/){0,4}[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\.ld")
"""A linker script of the project."""

_F_TEXT = """
    analyzer associative-math asynchronous-unwind-tables builtin common data-sections
    delete-null-pointer-checks exceptions fast-math fat-lto-objects finite-math-only freestanding
    function-sections gcse gnu89-inline ident inline inline-functions inline-small-functions ipa-icf ivopts
    jump-tables lto math-errno merge-all-constants merge-constants omit-frame-pointer pic pie PIC PIE plt
    reciprocal-math rtti schedule-insns schedule-insns2 short-enums signed-char signed-zeros
    single-precision-constant slp-vectorize stack-clash-protection stack-protector stack-protector-all
    stack-protector-strong strict-aliasing strict-overflow strict-volatile-bitfields threadsafe-statics
    toplevel-reorder trapping-math trapv tree-loop-distribute-patterns tree-slp-vectorize tree-vectorize
    unroll-loops unsigned-char unwind-tables use-cxa-atexit vectorize wrapv zero-initialized-in-bss
"""
F_NAMES = frozenset(_F_TEXT.split())
"""Behind -f or -fno-."""
_M_TEXT = """
    32 64 arm atomic auto-litpools avx avx2 avx512f barrel-shifter big-endian bmi2 cmse code-density const16
    div div-rem dpfp ea fdiv fix-esp32-psram-cache-issue fma force-l32 fused-madd general-regs-only
    hard-float little-endian long-calls longcalls medium-calls mpy norm popcnt pure-code relax save-restore
    sdata serialize-volatile slow-flash-data soft-float spfp sse sse2 sse3 sse4.1 sse4.2 ssse3 strict-align
    swap target-align text-section-literals thumb thumb-interwork unaligned-access word-relocations
"""
M_NAMES = frozenset(_M_TEXT.split())
"""Behind -m or -mno-: instruction sets and calling conventions."""
M_VALUES = (
    *("abi", "arch", "branch-cost", "cmodel", "cpu", "float-abi", "fp16-format", "fpmath", "fpu"),
    *("mpy-option", "small-data-limit", "tune"),
)
"""Behind -m, with = and a name or a number."""
DEFINES = ("EK_PAIR_WIDE", "EK_TICK_INSTRUCTIONS_X4", "EK_UART_BASE", "EK_UART_IRQ", "NDEBUG")
"""Behind -D, with = and a whole number or alone, or -U: what the templates leave to the board. Other names
with EK_ are the firmware's own, those with two underscores the compiler's; the rest is free."""
SINGLE = ("-W", "-ansi", "-nostdinc", "-pedantic", "-pipe", "-w")
"""The compiler's, as they stand."""
_LINKER_TEXT = """
    -nostdlib -nodefaultlibs -nostartfiles -static -static-libgcc -static-pie -no-pie -pie -s -lc -lgcc -lm
    -lnosys -Wl,--build-id=none -Wl,--cref -Wl,--end-group -Wl,--fatal-warnings -Wl,--gc-sections
    -Wl,--no-relax -Wl,--no-undefined -Wl,--no-warn-rwx-segments -Wl,-O1 -Wl,--print-memory-usage
    -Wl,--relax -Wl,--sort-section=alignment -Wl,--start-group -Wl,--strip-all -Wl,-z,noexecstack -Wl,-z,now
    -Wl,-z,relro
"""
LINKER = frozenset(_LINKER_TEXT.split())
_NUMBER = "(?:0x[0-9A-Fa-f]{1,16}|[0-9]{1,20})"
_SYMBOL = "[A-Za-z_][A-Za-z0-9_]{0,127}"
_MACRO = rf"(?:{'|'.join(DEFINES)}|(?!EK_|__)[A-Z_][A-Z0-9_]{{0,127}})"
_WARNING = "[a-z][a-z0-9+]{2,31}(-[a-z0-9+]{1,31}){0,8}(=[0-9]{1,6})?"
_FAMILIES = (
    "|".join(SINGLE),
    r"-O([0-3gsz]|fast)?",
    r"-g(gdb)?[0-3]?|-gdwarf-[2-5]",
    r"-std=(c|gnu)(99|11|17|18|2x|23)",
    # Without a comma there is no -Wl, -Wa or -Wp, which hand on flags of others.
    rf"-W(no-)?(error=)?{_WARNING}",
    rf"-U{_MACRO}|-D{_MACRO}(={_NUMBER}[uUlL]{{0,3}})?",
    rf"-f(no-)?({'|'.join(sorted(F_NAMES))})",
    r"-falign-(functions|jumps|labels|loops)=[0-9]{1,4}|-ffp-contract=(fast|off|on)|-fvisibility=(default|hidden)",
    rf"-fno-builtin-{_SYMBOL}|-fexcess-precision=fast|-f(inline-limit|message-length)=[0-9]{{1,6}}|-flto=auto",
    rf"-m(no-)?({'|'.join(map(re.escape, sorted(M_NAMES)))})",
    "-mtp=soft",
    rf"-Wl,(-z,max-page-size={_NUMBER}|--defsym={_SYMBOL}={_NUMBER}|--entry={_SYMBOL})",
    rf"-m({'|'.join(M_VALUES)})=[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,127}}",
)
_FLAG = re.compile("|".join(f"(?:{family})" for family in _FAMILIES))
FAMILIES = (
    "-O, -g, -std=, -W, -D and -U of names in capitals but the firmware's own, -f and -m of listed names; "
    "-T with a script of the project, -nostdlib, -lgcc and the like; -Wl,--gc-sections and some more"
)

_TRIPLES = (
    *("aarch64-linux-gnu", "aarch64-none-elf", "arc-elf32", "arc-linux-gnu", "arc64-elf"),
    *("arm-linux-gnueabihf", "arm-none-eabi", "arm-zephyr-eabi", "i686-linux-gnu", "riscv-none-elf"),
    *("riscv-none-embed", "riscv32-esp-elf", "riscv32-unknown-elf", "riscv64-elf", "riscv64-linux-gnu"),
    *("riscv64-unknown-elf", "x86_64-linux-gnu", "xtensa-esp-elf", "xtensa-esp32-elf"),
    *("xtensa-esp32s2-elf", "xtensa-esp32s3-elf", "xtensa-lx106-elf"),
)
_COMPILER = re.compile(
    rf"ziglang|c99|cc|(?:(?:{'|'.join(_TRIPLES)})-)?(?:gcc|g\+\+|clang|clang\+\+)(?:-[0-9]{{1,2}})?"
)
COMPILERS = (
    f"ziglang, cc, c99, gcc, g++, clang, clang++, or one of the last four behind {{{', '.join(_TRIPLES)}}}-, "
    "with a version such as -13"
)

EMULATORS = tuple(f"qemu-system-{name}" for name in ("aarch64", "arm", "riscv32", "riscv64", "xtensa"))
_ALONE = "-nographic"
_ARGUMENTS = {
    "-bios": re.compile("none"),
    "-m": re.compile("[0-9]{1,5}[KMG]?"),
    "-smp": re.compile("[1-9]|1[0-6]"),
}
ARGUMENTS = '"-nographic", "-bios", "none", "-smp" with a number to 16, and "-m" with a size'


def unlisted_flag(flags: Sequence[str]) -> str | None:
    """Return the first flag that is not listed; None if all are.

    `-T` and its script may be two, `-u` and its symbol are.
    """
    rest = iter(flags)
    for flag in rest:
        if flag.startswith("-T"):
            script = flag[2:] or next(rest, "")
            if not SCRIPT.fullmatch(script):
                return f"-T {script}".strip()
        elif flag == "-u":
            symbol = next(rest, "")
            if not re.fullmatch(_SYMBOL, symbol):
                return f"-u {symbol}".strip()
        elif flag not in LINKER and not _FLAG.fullmatch(flag):
            return flag
    return None


def unlisted_compiler(names: Sequence[str]) -> str | None:
    """Return the first program that is none of the compilers; None if all are."""
    return next((name for name in names if not _COMPILER.fullmatch(name)), None)


def unlisted_argument(arguments: Sequence[str]) -> str | None:
    """Return the first argument of QEMU that is not listed, or whose value is not; None if all are."""
    rest = iter(arguments)
    for option in rest:
        if option == _ALONE:
            continue
        value = next(rest, "")
        if option not in _ARGUMENTS or not _ARGUMENTS[option].fullmatch(value):
            return option if value.startswith("-") else f"{option} {value}".strip()
    return None
