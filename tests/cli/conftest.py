"""Runs commands in this process, and makes a small model with a contract for them."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models

from edgekit import board, contract, models, pipeline
from edgekit.cli import _app
from edgekit.firmware.options import Firmware
from edgekit.graph import label_metadata, metadata, tflite

SHAPE = (8, 8, 3)


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of stdout as JSON."""
        found = json.loads(self.out.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Return a function that runs one command in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = _app._run([str(a) for a in arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def paste(tmp_path: Path) -> Callable[[str], Done]:
    """Return a function that gives a line to a shell, in the current folder."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "edgekit").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edgekit "$@"\n')
    (programs / "edgekit").chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}

    def run(line: str) -> Done:
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def with_contract(raw: bytes, **preprocess: Any) -> bytes:
    graph = tflite.parse(raw)
    agreed = contract.for_graph(
        graph,
        preprocess=contract.Preprocess(
            color=contract.Color.RGB, resize=contract.Resize.SQUASH, mean=(0.0,) * 3, std=(1.0,) * 3
        ),
        labels=small_models.LABELS,
        oracle="",
    )
    whole = metadata.attach(raw, {contract.METADATA_NAME: agreed.to_json()})
    return label_metadata.attach_labels(whole, agreed.labels)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the path of a small classifier of 8x8 RGB images with three labels and a contract."""
    path = tmp_path / "model.tflite"
    path.write_bytes(with_contract(small_models.classifier()))
    return path


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Return the path of ten random uint8 frames of the small classifier."""
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(5).integers(0, 256, (10, *SHAPE), np.uint8))
    return path


@pytest.fixture
def labelled(tmp_path: Path, frames: Path) -> Path:
    """Return the path of the same frames as .npz with labels."""
    path = tmp_path / "test.npz"
    np.savez(path, images=np.load(frames), labels=np.arange(10) % 3)
    return path


@pytest.fixture
def host_on_pty() -> Callable[..., AbstractContextManager[str]]:
    """Return a way to run a model's firmware behind a pty, like a board on a serial port."""

    @contextmanager
    def run(model: Path, *, debug: bool = False) -> Iterator[str]:
        image = pipeline.build_image(models.load_model(model), board.load("host"), Firmware(debug=debug))
        process = subprocess.Popen([image.path, "--pty"], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(timeout=30)

    return run
