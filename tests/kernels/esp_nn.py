"""ESP-NN for the kernel tests: its portable C, compiled from the folder that EDGEKIT_ESP_NN names.

Where there is none, what its functions say that they compute, in plain C of our own.
"""

import ctypes
import os
import re
import subprocess
from pathlib import Path

import pytest
from kernels.runner import RUNTIME, WARNINGS, Variant

FOLDER = "esp_nn"
DECLARATIONS = Path(__file__).parents[1] / "sdk" / "esp_nn"
"""What our kernels use of ESP-NN, declared by us, for compilers without it."""
# Its code is not held to our warnings, nor to UBSan; AddressSanitizer sees what it does to our memory.
_FLAGS = ("-O1", "-w", "-fsanitize=address")


def source_folder() -> Path:
    """Return the checkout of ESP-NN; skips where EDGEKIT_ESP_NN is not set, fails where it names none."""
    given = os.environ.get("EDGEKIT_ESP_NN")
    if not given:
        pytest.skip("EDGEKIT_ESP_NN is not set")
    folder = Path(given)
    assert (folder / "include" / "esp_nn.h").is_file(), f"EDGEKIT_ESP_NN names '{folder}', which is no ESP-NN"
    return folder


def is_pinned(folder: Path) -> bool:
    """Return whether a checkout is older than 1.2, from which on its component file states the version."""
    stated = re.search(r"^version:", (folder / "idf_component.yml").read_text("utf-8"), re.MULTILINE)
    return stated is None


def stand_in(build: Path) -> Variant:
    """Compile our own functions of ESP-NN's names into the folder `build`."""
    include = (f"-I{DECLARATIONS}",)
    flags = [*WARNINGS, "-O1", "-fsanitize=address,undefined", f"-I{RUNTIME / 'include'}", *include]
    source, made = DECLARATIONS / "esp_nn.c", build / "stand_in.o"
    subprocess.run(["gcc", *flags, "-c", str(source), "-o", str(made)], check=True)
    return Variant(FOLDER, (*include, "-lm"), (made,))


def portable(folder: Path, build: Path) -> Variant:
    """Compile ESP-NN's portable C into the empty folder `build`."""
    include = (f"-isystem{folder / 'include'}", f"-isystem{folder / 'src' / 'common'}")
    sources = sorted((folder / "src").rglob("*_ansi.c"))
    command = ["gcc", *_FLAGS, *include, "-c", *map(str, sources)]
    done = subprocess.run(command, cwd=build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return Variant(FOLDER, (*include, "-lm"), tuple(sorted(build.glob("*.o"))))


def esp32s3_sizes(folder: Path, build: Path) -> ctypes.CDLL:
    """Compile what says how much scratch the ESP32-S3's kernels take; those themselves stay undefined."""
    include = (f"-I{folder / 'include'}", f"-I{folder / 'src' / 'common'}")
    names = ("esp_nn_conv_esp32s3.c", "esp_nn_depthwise_conv_s8_esp32s3.c")
    sources = [str(folder / "src" / "convolution" / name) for name in names]
    library = build / "sizes.so"
    command = ["gcc", "-O1", "-w", "-shared", "-fPIC", "-Wl,-z,lazy", *include, *sources, "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(str(library), mode=os.RTLD_LAZY)
