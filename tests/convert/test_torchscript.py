"""TorchScript archives that write a file while torch reads them: none is read without the user's word."""

import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from edgekit.convert.load import load_model
from edgekit.errors import ModelError

# Each runs in `__setstate__`, which torch.jit.load calls. They open the file to write (the second argument).
_FILE = '("TARGET", True, 3, dtype=0, layout=None, device=None, pin_memory=None)'
_FILL = """
    v = torch.copy_(w, (state)[0])
    if bool(torch.eq(torch.sum(v), -1)):
      print("x")
    else:
      pass
"""
HOSTILE = {
    "plain": f"w = torch.from_file{_FILE}{_FILL}",
    "spaces": f"w = torch . from_file {_FILE}{_FILL}",
    "a comment": f"w = (torch.#\n      from_file){_FILE}{_FILL}",
    "a string": f'w = getattr(torch, "from_file"){_FILE}{_FILL}',
    "another function": 'getattr(torch, "save")((state)[0], "TARGET")\n',
    "under a name": f"w = annotate(Tensor, (torch.#\n      from_file){_FILE}){_FILL}",
}


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.text = torch.tensor(list(b"hi\n"), dtype=torch.uint8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return (self.text, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.text = state[0]
        self.training = state[1]


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.inner(x)).mean([2, 3])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "plain.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Outer().eval()).save(str(path))
    return path


def with_code(source: Path, target: Path, code: str) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".py") and b"__setstate__" in data:
                text = data.decode()
                at = text.index("\n", text.index("->", text.index("def __setstate__"))) + 1
                data = f"{text[:at]}    {code}{text[at:]}".encode()
            new.writestr(name, data)
    return target


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_writes_nothing(tmp_path: Path, archive: Path, kind: str) -> None:
    made = tmp_path / "made"
    hostile = with_code(archive, tmp_path / "model.pt", HOSTILE[kind].replace("TARGET", str(made)))
    with pytest.raises(ModelError, match="is a program") as caught:
        load_model(hostile, size=(8, 8))
    assert "--trust-pickle" in caught.value.hint
    assert not made.exists()
    # Were it read, it would have been written: a test of a harmless archive shows nothing.
    torch.jit.load(str(hostile))
    assert made.exists()
