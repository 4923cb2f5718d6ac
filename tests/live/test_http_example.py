"""examples/http_predictions.py: live predictions over HTTP, by edgekit without its command line."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import documents
import numpy as np
import pytest
from cli.conftest import with_contract
from small_models import classifier

from edgekit.oracle import Oracle

EXAMPLE = documents.ROOT / "examples" / "http_predictions.py"
FRAMES = np.random.default_rng(3).integers(0, 256, (12, 8, 8, 3), np.uint8)
LABELS = np.arange(12) % 3
DEADLINE_S = 120


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve a small model's answers to FRAMES; give the address."""
    (tmp_path / "model.tflite").write_bytes(with_contract(classifier()))
    np.savez(tmp_path / "test.npz", images=FRAMES, labels=LABELS)
    command = [sys.executable, str(EXAMPLE), "model.tflite", "test.npz", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_predictions_are_the_oracles(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    with urlopen(address, timeout=DEADLINE_S) as page:
        assert b"EventSource" in page.read()
    for _ in range(2):  # a client that comes again gets the whole run again
        with urlopen(f"{address}/predictions", timeout=DEADLINE_S) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            lines = stream.read().decode().splitlines()
        hello, *predictions, summary = (
            json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")
        )
        assert (hello["type"], hello["board"]) == ("hello", "host")
        expected = Oracle(classifier()).run((FRAMES.astype(np.int16) - 128).astype(np.int8))
        np.testing.assert_array_equal([event["scores"] for event in predictions], expected)
        assert [event["index"] for event in predictions] == expected.argmax(1).tolist()
        assert (summary["type"], summary["n"], summary["ok"]) == ("summary", 12, True)
        assert summary["accuracy"] == pytest.approx(float((expected.argmax(1) == LABELS).mean()))
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{address}/elsewhere", timeout=DEADLINE_S)


def test_a_client_that_leaves_does_not_keep_the_next_one_out(address: str) -> None:
    with urlopen(f"{address}/predictions", timeout=DEADLINE_S) as stream:
        assert b"hello" in stream.readline()
    with urlopen(f"{address}/predictions", timeout=DEADLINE_S) as stream:
        assert b'"summary"' in stream.read()


def test_it_is_short_and_needs_no_more_than_edgekit_below_its_command_line() -> None:
    source = EXAMPLE.read_text("utf-8")
    assert len(source.splitlines()) < 80
    names = [
        name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    ]
    assert "edgekit.live.run" in names
    for name in names:
        assert name.split(".")[0] in {"edgekit", *sys.stdlib_module_names}, name
        assert not name.startswith("edgekit.cli"), name
