"""Generated C: the same bytes every time, no warnings, no names that escape, and the oracle's outputs."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_models
import tflite_builder
from generated_c import RUNTIME, WARNINGS, check_against_oracle, compiler, made, write
from tflite_builder import Value

from edgekit import contract, ops, toolchain
from edgekit.codegen.generator import GeneratedModel, generate, render
from edgekit.contract import Color, Preprocess, Resize
from edgekit.errors import UnsupportedOpError, UsageError
from edgekit.graph import tflite

NORMAL = Preprocess(Color.RGB, Resize.SQUASH, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_every_step_equals_the_oracle(tmp_path: Path) -> None:
    check_against_oracle(small_models.classifier(), tmp_path, 100)


def test_an_input_that_is_no_image(tmp_path: Path) -> None:
    check_against_oracle(small_models.fully_connected(), tmp_path, 100)


@pytest.mark.parametrize("name", ["ic01_resnet8_int8", "vww01_mobilenetv1_025_96_int8"])
def test_public_models_equal_the_oracle(anchor: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    check_against_oracle(anchor(name).read_bytes(), tmp_path, 5)


def test_equal_input_gives_equal_bytes() -> None:
    assert made().files == made().files
    # The file's name does not count: a renamed model gives the same firmware.
    graph = tflite.parse(small_models.classifier(), "other")
    assert generate(graph, contract.of(graph)).files == made().files


def test_a_new_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """Neither hash seeds nor the order of imports may show; nothing heavy may be loaded."""
    path = tmp_path / "m.tflite"
    path.write_bytes(small_models.classifier())
    code = (
        "import sys; from pathlib import Path; from edgekit import contract;"
        "from edgekit.codegen.generator import generate; from edgekit.graph import tflite;"
        f"graph = tflite.read(Path({str(path)!r}));"
        "sys.stdout.buffer.write(generate(graph, contract.of(graph)).files['model.c']);"
        "heavy = {'tensorflow', 'torch', 'jinja2', 'serial', 'ai_edge_litert'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env={"PYTHONHASHSEED": "7"})
    assert done.returncode == 0, done.stderr
    assert done.stdout == made().files["model.c"]


VIEW = tflite_builder.build(
    "RESHAPE",
    [
        Value((1, 4), scales=(0.5,), zero_points=(0,)),
        Value((3,), "int32", data=np.array([1, 2, 2], np.int32)),
    ],
    [Value((1, 2, 2), scales=(0.5,), zero_points=(0,))],
)
"""A model that calls no kernel."""


@pytest.mark.parametrize("tables", ["identity", "per_channel", "shared", "none", "view"])
@pytest.mark.parametrize("name", ["gcc", "ziglang"])
@pytest.mark.parametrize("debug", [False, True])
def test_no_warnings(tmp_path: Path, name: str, tables: str, debug: bool) -> None:
    model = {"none": small_models.fully_connected(), "view": VIEW}.get(tables) or small_models.classifier()
    graph = tflite.parse(model)
    agreed = contract.of(graph)
    if tables == "per_channel":
        agreed = contract.for_graph(graph, preprocess=NORMAL, labels=None, oracle="")
    elif tables == "shared":
        agreed = replace(agreed, table=bytes(range(256)) * 3)
    write(generate(graph, agreed), tmp_path)
    flags = [*WARNINGS, *(["-DEK_TRACE=1"] if debug else []), f"-I{RUNTIME / 'include'}", f"-I{tmp_path}"]
    (tmp_path / "user.c").write_text('#include "model.h"\nint user(void);\nint user(void) { return 0; }\n')
    for source in ("model.c", "user.c"):
        output = str(tmp_path / "o.o")
        found = toolchain.find("host", (name,))
        command = [*found.command, *flags, "-c", str(tmp_path / source), "-o", output]
        done = subprocess.run(command, capture_output=True, text=True, env=found.environment())
        assert done.returncode == 0, done.stderr[:2000]


def defines(generated: GeneratedModel) -> dict[str, str]:
    return dict(re.findall(r"#define EK_MODEL_(\w+) (.+)", generated.files["model.h"].decode()))


def test_header() -> None:
    generated = made()
    assert defines(generated) == {
        "ARENA_BYTES": f"{generated.plan.arena_bytes}u",
        "INPUT_OFFSET": f"{generated.plan.offsets[0]}u",
        "INPUT_BYTES": "192u",
        "OUTPUT_OFFSET": f"{generated.plan.offsets[14]}u",
        "OUTPUT_BYTES": "3u",
        "INPUT_RANK": "4u",
        "INPUT_SHAPE": "{1, 8, 8, 3}",
        "INPUT_CHANNELS": "3u",
        "STEPS": "7u",
        "TABLES": "1",
        "TABLE_IDENTITY": "1",
    }
    digest = bytes.fromhex(generated.model_digest)
    assert ",".join(map(str, digest[:8])) in generated.files["model.c"].decode()


def test_tables() -> None:
    graph = tflite.parse(small_models.classifier())
    normal = generate(graph, contract.for_graph(graph, preprocess=NORMAL, labels=None, oracle=""))
    assert (defines(normal)["TABLES"], defines(normal)["TABLE_IDENTITY"]) == ("3", "0")
    assert b"extern const int8_t ek_model_table[3][256];" in normal.files["model.h"]
    assert normal.table_bytes == 768
    shared = generate(graph, replace(contract.of(graph), table=bytes(range(256)) * 3))
    assert (defines(shared)["TABLES"], defines(shared)["TABLE_IDENTITY"]) == ("1", "0")
    assert shared.table_bytes == 256
    assert made().table_bytes == 0
    flat = made(small_models.fully_connected())
    assert (defines(flat)["TABLES"], defines(flat)["TABLE_IDENTITY"]) == ("0", "0")
    assert b"_table" not in flat.files["model.h"]


@pytest.mark.parametrize(
    "name",
    [
        "*/ int evil; /*",
        "a\\",
        "??/\nx",
        "\\\n#define x",
        "/* */ //",
        "naïve \u202e",
        "\x00\x07\x1b[2J",
        "x" * 5000,
        "-",
    ],
)
def test_hostile_names(name: str, tmp_path: Path) -> None:
    """Whatever a tensor is called, the C differs from the plain one's only inside comments."""
    plain, hostile = made(), made(small_models.classifier(name=name))
    comments = re.compile(rb"/\*.*?\*/", re.DOTALL)
    for file, content in hostile.files.items():
        assert content.isascii()
        assert comments.sub(b"", content) == comments.sub(b"", plain.files[file])
        assert b"??" not in content
        assert max(map(len, content.splitlines())) < 200
    write(hostile, tmp_path)
    flags = [*WARNINGS, "-fsyntax-only", f"-I{RUNTIME / 'include'}"]
    command = [*compiler("cc"), *flags, str(tmp_path / "model.c")]
    subprocess.run(command, check=True)


def test_symbols(tmp_path: Path) -> None:
    """Everything but what model.h declares is static, under any prefix."""
    for name in ("ek_model", "Net2", "ek_nn", "model"):
        write(made(name=name), tmp_path)
        output = tmp_path / "model.o"
        flags = [*WARNINGS, "-c", f"-I{RUNTIME / 'include'}", "-o", str(output)]
        subprocess.run([*compiler("cc"), *flags, str(tmp_path / "model.c")], check=True)
        listing = subprocess.run(
            ["nm", "-g", "--defined-only", output], capture_output=True, text=True
        ).stdout
        symbols = {line.split()[-1] for line in listing.splitlines()}
        assert symbols == {f"{name}_run", f"{name}_digest", f"{name}_contract_digest"}


def test_a_name_that_c_cannot_have() -> None:
    with pytest.raises(UsageError):
        made(name="int")


def test_unsupported_operators_come_through() -> None:
    quantised = {"scales": (0.5,), "zero_points": (0,)}
    graph = tflite.parse(
        tflite_builder.build("ELU", [Value((1, 4), **quantised)], [Value((1, 4), **quantised)])
    )
    with pytest.raises(UnsupportedOpError, match="ELU"):
        generate(graph, contract.of(graph))


def test_render_takes_given_steps() -> None:
    graph = tflite.parse(small_models.classifier())
    assert render(graph, contract.of(graph), ops.lower(graph)).files == made().files


def test_figures() -> None:
    generated = made()
    assert generated.macs == sum(step.macs for step in generated.steps) > 0
    assert generated.weight_bytes == sum(c.size for step in generated.steps for c in step.constants)
