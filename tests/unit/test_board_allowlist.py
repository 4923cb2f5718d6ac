"""What a board file may ask for by itself is listed, and nothing that runs, reads or writes elsewhere is."""

import re
import shutil
from pathlib import Path

import documents
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import board, process, resources
from edgekit.board import allowlist
from edgekit.errors import ProjectError

HOST = (resources.boards() / "host.toml").read_text("utf-8")
PAGE = (documents.ROOT / "docs" / "reference" / "boards.md").read_text("utf-8")
SECTION = PAGE.split("## What a board file may ask for by itself")[1].split("\n## ")[0]

# Of the manuals of GCC, Clang and GNU ld: what runs programs, reads or writes files, or hands on flags.
_REFUSED = """
    @x -B/tmp -B -E -H -I/etc -I -idirafter/etc -iquote/x -isystem/x -L/tmp -L -M -MD -MMD -MF/x -MF
    -MJx -MT -P -S -T -T/etc/x.ld -T../x.ld -Tx/../../y.ld -Tdata=0 -Ttext=0 -Tx.lds -T-x.ld -Wa,@x
    -Wa,--MD,x -Wl,--plugin=/x -Wl -Wl, -Wl,-Map=/x -Wl,-Map,x -Wl,-T,/x -Wl,-o,/x -Wl,-plugin=/x
    -Wl,-rpath,/x -Wl,--wrap=malloc -Wl,--defsym=a=b -Wl,--defsym=a=1,-o -Wl,--gc-sections,-o,/x
    -Wl,-z,relro,-o,/x -Wl,@x
    -Wl,-dynamic-linker,/x -Wl,--out-implib=/x -Wl,-r -Wp,-MD,x -Xassembler -Xclang -Xlinker
    -Xpreprocessor -aux-info -c -combine -dA -dD -dumpbase -dumpdir -dumpspecs -f -fada-spec-parent=x
    -fbuild-session-file=/x -fcallgraph-info -fcompare-debug -fcrash-diagnostics-dir=/x -fno-
    -fdebug-prefix-map=a=b -fdepfile-entry=x -fdiagnostics-format=json-file -fdump-final-insns=/x
    -fdump-go-spec=/x -fdump-passes -fdump-rtl-all=/x -fdump-tree-all -ffile-prefix-map=a=b
    -ffunction-sections=x -flto=8 -flto=x -fmodule-file=/x -fmodules -fmultilib-dir=x -fopenmp
    -foptimization-record-file=/x -fpass-plugin=/x -fpch-deps -fplugin-arg-x-y=z -fplugin=/x -fplugin=x
    -fprofile-arcs -fprofile-dir=/x -fprofile-generate=/x -fprofile-use=/x -fproc-stat-report=/x
    -frandom-seed=x -fsanitize-ignorelist=/x -fsave-optimization-record -fstack-usage -fthinlto-index=/x
    -ftest-coverage -ftime-trace=/x -fuse-ld=/x -fuse-ld=gold -fverbose-asm -fworking-directory
    -gsplit-dwarf -gdwarf-9 -gz=zlib -imacros/x -imultilib -include/x -include -iplugindir=/x -iprefix
    -iwithprefix -l:x.a -lpthread -l/x -m -mdynconfig=/x -mfoo -mllvm -mllvm=-load=/x -mmcu=x -mspecs=/x
    -march=a/b -march= -march -mcpu=../x -mcpu=-x -mcpu=a,b -no-canonical-prefixes -o -o/x -ox
    -pass-exit-codes -pg -plugin=/x -print-search-dirs -rdynamic -save-temps -save-temps=cwd
    -shared -specs=/x -specs=x -std=c++17 -std=/x -target -traditional-cpp -trigraphs -u -undef -v
    -working-directory -wrapper -x -xc -z - -- -### -% -O9 -Ox -Wx, -W- -D -D__attribute__
    -DEK_BOARD_ID=x -DEK_TRACE=1 -DNDEBUG=x -DEK_UART_BASE=system -DEK_UART_BASE=0x4;x -Dmain=x
    -DEK_UART_BASE=1+f() -U -UEK_TRACE -U__GNUC__ -UA=1 -D__GNUC__=9 -DEK_MODEL_H -Dx=1 -DA=B
    -DA(x)=1 -Werror=a,b
    -Wl,--entry=/x -Wl,--entry=a,b -Wl,-z,max-page-size=1,-o -ffunction=1 -fno-builtin-/x -mtp=/x -std=c90
    --for-linker=-plugin=/x -for-linker=--plugin=/x --for-assembler=@x
    --wrapper=/x --config=/x --entry=x --include=/x --ld-path=/x --library-directory=/x --output=/x
    --param=x --prefix=/x --specs=./x --specs=nano.specs --sysroot=/x --target=x --no-sysroot-suffix x
    main.c x.o /x/y.o firmware.ld 0
"""


def test_what_runs_reads_or_writes_elsewhere_is_refused() -> None:
    refused = _REFUSED.split()
    assert [flag for flag in refused if allowlist.unlisted_flag([flag]) is None] == []
    around = ["-O2", "-T", "linker.ld"]
    assert [flag for flag in refused if allowlist.unlisted_flag([*around, flag, *around]) is None] == []


@pytest.mark.parametrize(
    "script", ["", "/x.ld", "../x.ld", "a/../../x.ld", ".x.ld", "-x.ld", "x.lds", "x.ld\n"]
)
def test_a_linker_script_is_one_of_the_projects(script: str) -> None:
    assert allowlist.unlisted_flag(["-T", script]) is not None
    assert allowlist.unlisted_flag([f"-T{script}"]) is not None


@pytest.mark.parametrize(
    "flags",
    [
        ("-O0", "-Os", "-Oz", "-Og", "-O", "-Ofast", "-g", "-g3", "-gdwarf-4", "-std=gnu11", "-std=c2x"),
        ("-Wall", "-Wno-unused-parameter", "-Wframe-larger-than=512", "-Werror", "-w"),
        ("-march=armv8.1-m.main+mve.fp+fp.dp", "-mcpu=cortex-m55", "-mtune=native", "-m32", "-msse4.1"),
        ("-mno-unaligned-access", "-mno-sdata", "-mpy-option=6".replace("-m", "-mm", 1), "-mabi=ilp32"),
        ("-DEK_UART_BASE=0x59303000u", "-DEK_UART_IRQ=33u", "-DNDEBUG", "-DEK_PAIR_WIDE=0"),
        (
            "-DBOARD",
            "-D_GNU_SOURCE",
            "-DF_CPU=160000000UL",
            "-UNDEBUG",
            "-D_FORTIFY_SOURCE=2",
            "-UEK_UART_IRQ",
        ),
        ("-pipe", "-pedantic", "-W", "-ansi", "-nostdinc", "-fanalyzer", "-static-pie", "-ggdb", "-ggdb3"),
        ("-Werror=implicit-int", "-Wno-error=unused-variable", "-Werror=frame-larger-than=9", "-std=gnu99"),
        (
            "-fmessage-length=0",
            "-fno-builtin-memcpy",
            "-ffinite-math-only",
            "-fassociative-math",
            "-fno-ipa-icf",
        ),
        ("-freciprocal-math", "-ffat-lto-objects", "-flto=auto", "-fno-toplevel-reorder", "-fgnu89-inline"),
        ("-fexcess-precision=fast", "-finline-limit=64", "-mpopcnt", "-mbmi2", "-mavx512f", "-mtp=soft"),
        (
            "-mmedium-calls",
            "-mfix-esp32-psram-cache-issue",
            "-Wl,-O1",
            "-Wl,--no-undefined",
            "-u",
            "_printf_float",
        ),
        ("-Wl,--start-group", "-lc", "-Wl,--end-group", "-Wl,--sort-section=alignment", "-Wl,--strip-all"),
        ("-Wl,-z,max-page-size=0x1000", "-Wl,--cref", "-Wl,--defsym=_heap=0x200", "-Wl,--entry=_start"),
        ("-T", "linker.ld", "-Tboard/linker.ld", "-Wl,-z,relro", "-fno-pie", "-ffp-contract=off"),
    ],
)
def test_usual_flags_are_allowed(flags: tuple[str, ...]) -> None:
    assert allowlist.unlisted_flag(flags) is None


# Each is given where the grammar has a place for a name or a number.
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_nothing_that_is_allowed_names_a_path_or_hands_on_flags(text: str) -> None:
    for start in (
        "-O",
        "-g",
        "-std=",
        "-W",
        "-DEK_UART_IRQ=",
        "-D",
        "-f",
        "-fno-",
        "-m",
        "-march=",
        "-l",
        "-Wl,",
        "",
    ):
        flag = start + text
        if allowlist.unlisted_flag([flag]) is None:
            assert flag in allowlist.LINKER or re.fullmatch(r"(-Wl,-)?-[A-Za-z0-9_.+=-]+", flag)
            assert not re.match(r"-(o|B|I|L|X|x|E|M|include|specs|fplugin|wrapper)", flag)


@pytest.mark.parametrize("name", board.list_ids())
def test_our_own_boards_need_no_trust(name: str) -> None:
    build = board.load(name).build
    assert allowlist.unlisted_flag((*build.cflags, *build.ldflags)) is None
    assert allowlist.unlisted_compiler(build.compilers) is None


def test_compilers_are_known_by_name() -> None:
    known = ("ziglang", "cc", "gcc-13", "clang-19", "riscv64-unknown-elf-gcc", "xtensa-esp32s3-elf-gcc-14")
    known += ("g++", "arm-none-eabi-g++-13", "clang++", "riscv64-elf-gcc", "riscv-none-embed-gcc", "c99")
    known += ("arm-zephyr-eabi-gcc", "arc64-elf-gcc")
    assert allowlist.unlisted_compiler(known) is None
    for name in (
        "sh",
        "rm",
        "touch",
        "g",
        "gcc-",
        "gcc-evil",
        "evil-gcc",
        "gcc.sh",
        "zig",
        "make",
        "cc1",
        "ccache",
    ):
        assert allowlist.unlisted_compiler(("gcc", name)) == name


def test_arguments_of_qemu_come_with_their_values() -> None:
    assert allowlist.unlisted_argument(("-bios", "none", "-m", "16M", "-smp", "1")) is None
    assert allowlist.unlisted_argument(("-nographic", "-m", "16M", "-smp", "2")) is None
    assert allowlist.unlisted_argument(("-nographic", "-S", "-m", "16M")) == "-S"
    assert allowlist.unlisted_argument(("-nographic", "-m", "x", "-S")) == "-m x"
    assert allowlist.unlisted_argument(("-smp", "64")) == "-smp 64"
    for arguments in (("-bios",), ("-m", "16M,maxmem=1G"), ("none", "-bios"), ("-S",), ("-drive", "file=x")):
        assert allowlist.unlisted_argument(("-bios", "none", *arguments)) is not None


def test_the_page_lists_what_the_code_allows() -> None:
    shown = set(re.findall(r"`([^`\n]+)`", SECTION))
    lists = (allowlist.F_NAMES, allowlist.M_NAMES, allowlist.M_VALUES, allowlist.DEFINES, allowlist.LINKER)
    for names in (*lists, allowlist.SINGLE, allowlist._TRIPLES, allowlist.EMULATORS):
        assert set(names) <= shown
    assert "--trust-board" in shown


def test_trust_lets_a_file_say_what_it_wants(tmp_path: Path) -> None:
    text = (
        HOST.replace('"gcc"', '"my-own-cc"')
        .replace('cflags = ["-O3"]', 'cflags = ["-fplugin=/x/y.so", "-I/opt/include"]')
        .replace("ldflags = []", 'ldflags = ["-Wl,-Map=out.map"]')
        .replace(
            'kind = "process"',
            'kind = "qemu"\nprogram = "qemu-system-ppc"\nmachine = "virt,aclint=on"\narguments = ["-S"]',
        )
    )
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ProjectError, match=r"build\.compilers holds 'my-own-cc'") as caught:
        board.load(path)
    assert "--trust-board" in caught.value.hint
    assert "trusted=True" in caught.value.hint
    mine = board.load(path, trusted=True)
    assert mine.build.ldflags == ("-Wl,-Map=out.map",)
    assert mine.emulator is not None
    assert (mine.emulator.program, mine.emulator.machine) == ("qemu-system-ppc", "virt,aclint=on")
    # What make or a shell would read as their own is no flag, whoever says it.
    for flag in ("$(touch x)", "a b", "a;b", "`id`", "a'b", "a\\nb", "a#b", "a%b", ""):
        path.write_text(HOST.replace('["-O3"]', f'["{flag}"]'), "utf-8")
        with pytest.raises(ProjectError, match=r"build\.cflags holds"):
            board.load(path, trusted=True)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
@pytest.mark.parametrize("start", ["-f", "-fno-"])
def test_no_allowed_name_takes_the_next_word_or_leaves_a_file(tmp_path: Path, start: str) -> None:
    (tmp_path / "x.c").write_text("int x;\n")
    # Clang's alone, and two that GCC knows without no-.
    others = {"vectorize", "slp-vectorize", "stack-protector-all", "stack-protector-strong"}
    flags = [f"{start}{name}" for name in sorted(allowlist.F_NAMES - others)]
    process.run(["gcc", *flags, "-c", "x.c", "-o", "x.o"], cwd=tmp_path, timeout_s=60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.c", "x.o"]
