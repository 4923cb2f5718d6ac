"""PyTorch models in every form that people save them in; nothing runs that the user did not trust."""

import datetime
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgekit import install
from edgekit.convert import checkpoint, float_model
from edgekit.convert.load import load_model
from edgekit.convert.model_kind import ModelKind
from edgekit.errors import ModelError, UsageError

BUILDER = "small_torch_net:build"
SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout())
        self.head = nn.Linear(6, classes)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))

def build():
    return Net()

def build_more():
    return Net(7)

def fails():
    raise RuntimeError("no weights today")

number = 3
"""


class Made:
    """Unpickling this writes a file: what a hostile checkpoint would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with the user's module in it."""
    (tmp_path / "small_torch_net.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("small_torch_net", None)


@pytest.fixture
def net(folder: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    monkeypatch.syspath_prepend(str(folder))
    import small_torch_net

    torch.manual_seed(1)
    made: nn.Module = small_torch_net.build()
    made.features[1].running_mean.normal_()
    return made.eval()


def check(path: str, net: nn.Module, **options: Any) -> Any:
    """Load a file and hold what it computes against the module."""
    model = load_model(Path(path), **options)
    inputs = np.random.default_rng(0).normal(0, 1, (3, 9, 12, 1)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(inputs.transpose(0, 3, 1, 2))).numpy()
    assert model.input_shape == (1, 1, 9, 12)
    assert np.allclose(float_model.scores(model, inputs), expected, atol=1e-5)
    return model


WITH_BUILDER = {"builder": BUILDER, "size": (9, 12)}


def test_a_state_dict(net: nn.Module) -> None:
    torch.save(net.state_dict(), "a.onnx")  # the suffix does not matter
    check("a.onnx", net, **WITH_BUILDER)
    torch.save(net.state_dict(), "b", _use_new_zipfile_serialization=False)
    check("b", net, **WITH_BUILDER)
    old = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(old, "c")
    check("c", net, **WITH_BUILDER)


def test_safetensors(net: nn.Module) -> None:
    from safetensors.torch import save_file

    save_file(net.state_dict(), "a.bin")
    check("a.bin", net, **WITH_BUILDER)
    whole = Path("a.bin").read_bytes()
    for cut in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        Path("cut").write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            load_model(Path("cut"), **WITH_BUILDER)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "ema"])
def test_a_checkpoint_that_holds_a_state_dict(net: nn.Module, key: str) -> None:
    weights = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, key: weights, "optimizer": {"lr": 0.1}}, "a.pth")
    model = check("a.pth", net, **WITH_BUILDER)
    assert f"'{key}'" in model.notes[0]


def test_plain_weights_come_before_averaged_ones(net: nn.Module) -> None:
    zeros = {name: torch.zeros_like(value) for name, value in net.state_dict().items()}
    torch.save({"ema_state_dict": zeros, "state_dict": net.state_dict()}, "a.pth")
    check("a.pth", net, **WITH_BUILDER)


def test_prefixes_of_wrappers_come_off(net: nn.Module) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(net)
    torch.save(averaged.state_dict(), "a.pth")
    check("a.pth", net, **WITH_BUILDER)
    torch.save({f"module._orig_mod.{k}": v for k, v in net.state_dict().items()}, "b.pth")
    check("b.pth", net, **WITH_BUILDER)


def test_a_hostile_checkpoint_does_not_run(folder: Path, net: nn.Module) -> None:
    torch.save({"state_dict": net.state_dict(), "meta": Made(folder / "made")}, "a.pth")
    with pytest.raises(ModelError, match="code of its author's choice") as caught:
        load_model(Path("a.pth"), **WITH_BUILDER)
    assert "--trust-pickle" in caught.value.hint
    assert not (folder / "made").exists()
    check("a.pth", net, trust_pickle=True, **WITH_BUILDER)
    assert (folder / "made").exists()


def test_foreign_objects_of_missing_packages_become_shells(folder: Path, net: nn.Module) -> None:
    """What SSCMA's checkpoints are: a state dict beside a trainer's own objects."""
    (folder / "trainer.py").write_text(
        "class History(list):\n    pass\nclass Config:\n    def __init__(self): self.a = 1\n"
        "class Log(dict):\n    pass\n"
    )
    import trainer  # type: ignore[import-not-found]

    meta = {"history": trainer.History([1, 2]), "config": trainer.Config(), "log": trainer.Log(a=1)}
    torch.save({"meta": meta, "time": datetime.timedelta(1), "state_dict": net.state_dict()}, "a.pth")
    (folder / "trainer.py").unlink()
    del sys.modules["trainer"]
    with pytest.raises(ModelError, match=r"trainer\.\w+"):
        load_model(Path("a.pth"), **WITH_BUILDER)
    check("a.pth", net, trust_pickle=True, **WITH_BUILDER)


def test_a_whole_pickled_module_needs_trust(net: nn.Module) -> None:
    torch.save(net, "a.pt")
    with pytest.raises(ModelError, match=r"small_torch_net\.Net"):
        load_model(Path("a.pt"), size=(9, 12))
    check("a.pt", net, size=(9, 12), trust_pickle=True)
    torch.save({"model": net}, "b.pt")
    check("b.pt", net, size=(9, 12), trust_pickle=True)
    check("b.pt", net, trust_pickle=True, **WITH_BUILDER)


def test_torchscript(net: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save("script.pt")
        torch.jit.trace(net, torch.zeros(1, 1, 9, 12)).save("trace.pt")
    check("script.pt", net, size=(9, 12))
    check("trace.pt", net, size=(9, 12))
    with pytest.raises(UsageError, match="does not say the size") as caught:
        load_model(Path("script.pt"))
    assert "--size HxW" in caught.value.hint


def test_a_torch_export_archive_needs_trust_and_knows_its_size(net: nn.Module) -> None:
    torch.export.save(torch.export.export(net, (torch.zeros(1, 1, 9, 12),)), "a.pt2")
    with pytest.raises(ModelError, match="unrestricted unpickler"):
        load_model(Path("a.pt2"))
    check("a.pt2", net, trust_pickle=True)
    with pytest.raises(UsageError, match="8x8 contradicts"):
        load_model(Path("a.pt2"), trust_pickle=True, size=(8, 8))


@pytest.mark.parametrize("kind", ["state", "script", "export"])
def test_a_damaged_file_is_an_error(folder: Path, net: nn.Module, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        match kind:
            case "state":
                torch.save(net.state_dict(), "a", _use_new_zipfile_serialization=False)
            case "script":
                torch.jit.script(net).save("a")
            case _:
                torch.export.save(torch.export.export(net, (torch.zeros(1, 1, 9, 12),)), "a.pt2")
                Path("a.pt2").rename("a")
    whole = bytearray(Path("a").read_bytes())
    for cut in (0, 1, 14, 30, 200, len(whole) // 2, len(whole) - 1):
        Path("cut").write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            load_model(Path("cut"), trust_pickle=True, **WITH_BUILDER)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (9, 12)}, "holds weights only"),
        ({"builder": BUILDER}, "does not say the size"),
        ({"builder": "small_torch_net", "size": (9, 12)}, "not of the form package.module:callable"),
        ({"builder": "no_such_module:build", "size": (9, 12)}, "no module 'no_such_module'"),
        ({"builder": "small_torch_net:nothing", "size": (9, 12)}, "no attribute 'nothing'"),
        ({"builder": "small_torch_net:fails", "size": (9, 12)}, "RuntimeError: no weights today"),
        ({"builder": "small_torch_net:dict", "size": (9, 12)}, "no attribute 'dict'"),
        ({"builder": "builtins:dict", "size": (9, 12)}, "returned a dict"),
        ({"builder": "small_torch_net:number", "size": (9, 12)}, "not callable"),
        ({"builder": "torch.nn:ReLU", "size": (9, 12)}, r"unexpected: features\.0\.bias"),
        (
            {"builder": "small_torch_net:build_more", "size": (9, 12)},
            r"other shape: head\.bias is \[4\], not \[7\], head\.weight is \[4, 6\], not \[7, 6\]",
        ),
        ({"builder": BUILDER, "size": (9, 12), "channels": 3}, "expected input.* to have 1 channels"),
    ],
)
def test_what_is_wrong_with_the_request_is_named(
    net: nn.Module, options: dict[str, Any], message: str
) -> None:
    torch.save(net.state_dict(), "a.pth")
    with pytest.raises((ModelError, UsageError), match=message):
        load_model(Path("a.pth"), **options)


def test_a_checkpoint_without_weights_names_what_it_has(folder: Path) -> None:
    torch.save({"epoch": 3, "lr": 0.1}, "a.pth")
    with pytest.raises(ModelError, match="it has 'epoch', 'lr'"):
        load_model(Path("a.pth"), **WITH_BUILDER)
    torch.save([1, 2], "a.pth")
    with pytest.raises(ModelError, match="holds a list"):
        load_model(Path("a.pth"), **WITH_BUILDER)


def test_a_builder_is_refused_where_there_is_nothing_to_build(folder: Path, make_net: Any) -> None:
    Path("a.onnx").write_bytes(make_net().SerializeToString())
    with pytest.raises(UsageError, match="needs no --builder"):
        load_model(Path("a.onnx"), builder=BUILDER)


def test_nothing_is_printed(net: nn.Module, capfd: pytest.CaptureFixture[str]) -> None:
    torch.save(net.state_dict(), "a.pth")
    load_model(Path("a.pth"), **WITH_BUILDER)
    assert capfd.readouterr() == ("", "")


def test_missing_torch_is_named_with_the_pip_line(net: nn.Module) -> None:
    torch.save(net.state_dict(), "a.pth")
    code = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from edgekit.convert.load import load_model
from edgekit.convert.model_kind import ModelKind
from edgekit.errors import MissingExtraError
try:
    load_model(Path("a.pth"), builder="small_torch_net:build", size=(9, 12))
except MissingExtraError as error:
    print(error.message, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert install.command("torch") in done.stdout


def test_the_current_folder_is_searched_for_modules_only_with_trust(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[bool] = []
    read = checkpoint.read

    def seen(path: Path, kind: ModelKind) -> Any:
        searched.append(str(Path.cwd()) in sys.path)
        return read(path, kind)

    monkeypatch.setattr(checkpoint, "read", seen)
    torch.save({"weight": torch.zeros(3)}, "plain.pt")
    torch.save({"state_dict": {"weight": torch.zeros(3)}, "made": Made(folder / "made")}, "foreign.pt")
    for name in ("plain.pt", "foreign.pt"):
        with pytest.raises(UsageError, match="weights only"):
            load_model(Path(name), trust_pickle=True, size=(8, 8))
    assert searched == [False, True]
