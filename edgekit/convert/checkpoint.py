"""Finds the weights inside what torch.save or safetensors wrote."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edgekit.convert.model_kind import ModelKind
from edgekit.errors import MissingExtraError, ModelError

# Where training scripts keep the weights, the plain ones before the averaged ones.
_KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "module",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
)

# What training counts, and inference ignores: by BatchNorm, and by AveragedModel.
_COUNTERS = ("num_batches_tracked", "n_averaged")


def read(path: Path, kind: ModelKind) -> Any:
    """Return what the file holds, on the CPU. Only PICKLED, which the user must trust, runs its pickle.

    Raises:
        ModelError: damaged, or its objects cannot be made.
        MissingExtraError: safetensors is not installed.
    """
    if kind is ModelKind.SAFETENSORS:
        return _read_safetensors(path)
    import torch

    try:
        if kind is ModelKind.PICKLED:
            # Objects of packages that are not installed, such as a trainer's history, become empty shells.
            return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_lenient_pickle())
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"'{path}' holds more than tensors, or is damaged: {reason}",
            "export a plain state dict or ONNX; or, if you trust its author, give --trust-pickle",
        ) from error
    # What torch and the unpickler raise on damaged files has no common class; assertions are among it.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"'{path}' cannot be read by PyTorch: {reason}", "export or download it again"
        ) from error


def find_module(content: Any) -> Any:
    """Return the torch module that was saved whole, alone or in a checkpoint; None if there is none."""
    from torch import nn

    if isinstance(content, nn.Module):
        return content
    if isinstance(content, Mapping):
        for key in (*_KEYS[2:], *_KEYS[:2]):
            if isinstance(content.get(key), nn.Module):
                return content[key]
    return None


def find_weights(content: Any, path: Path) -> tuple[dict[str, Any], str]:
    """Return the tensors by name, and the key of the checkpoint that held them ("" for none).

    Raises:
        ModelError: there are no tensors where checkpoints keep them.
    """
    if not isinstance(content, Mapping):
        raise ModelError(f"'{path}' holds a {type(content).__name__}, not weights", "save model.state_dict()")
    if weights := _tensors(content):
        return weights, ""
    for key in _KEYS:
        inner: Any = content.get(key)
        if hasattr(inner, "state_dict"):
            inner = inner.state_dict()
        if isinstance(inner, Mapping) and (weights := _tensors(inner)):
            return weights, key
    keys = ", ".join(f"'{key}'" for key in list(content)[:8]) or "nothing"
    raise ModelError(
        f"'{path}' holds no weights where checkpoints keep them; it has {keys}",
        "save model.state_dict() with torch.save",
    )


def fit(weights: dict[str, Any], expected: Mapping[str, Any], path: Path, builder: str) -> dict[str, Any]:
    """Return the weights under the names that the built module has.

    A prefix that all names share ("module." of DataParallel, "_orig_mod." of torch.compile, "model.") is
    taken off when the names match without it.

    Raises:
        ModelError: listing the missing, unexpected and differently shaped weights.
    """
    best = weights = {name: value for name, value in weights.items() if not name.endswith(_COUNTERS)}
    expected = {name: value for name, value in expected.items() if not name.endswith(_COUNTERS)}
    candidate = weights
    while True:
        if candidate.keys() == expected.keys():
            best = candidate
            break
        prefixes = {name.partition(".")[0] if "." in name else "" for name in candidate}
        if len(prefixes) != 1 or prefixes == {""}:
            break
        candidate = {name.partition(".")[2]: value for name, value in candidate.items()}
    missing = sorted(expected.keys() - best.keys())
    extra = sorted(best.keys() - expected.keys())
    shapes = [
        f"{name} is {list(best[name].shape)}, not {list(expected[name].shape)}"
        for name in sorted(best.keys() & expected.keys())
        if best[name].shape != expected[name].shape
    ]
    if missing or extra or shapes:
        parts = [
            f"\n  {word}: {_list(names)}"
            for word, names in (("missing", missing), ("unexpected", extra), ("other shape", shapes))
            if names
        ]
        raise ModelError(
            f"the weights of '{path}' are not those of the module that '{builder}' makes:{''.join(parts)}",
            "give the builder of the very network that was trained, with its number of classes",
        )
    return best


def _tensors(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return `content` if it is names and tensors and nothing else."""
    import torch

    if not content or not all(isinstance(k, str) for k in content):
        return {}
    values = {k: v for k, v in content.items() if not k.endswith("_extra_state")}
    return dict(values) if values and all(isinstance(v, torch.Tensor) for v in values.values()) else {}


def _list(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _read_safetensors(path: Path) -> Any:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingExtraError("safetensors", "torch", "reading safetensors") from error
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"'{path}' is a damaged safetensors file: {error}", "download it again") from error


class _Shell:
    """Stands for an object of a class that cannot be imported."""

    def __init__(self, *_args: object, **_kwargs: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...

    def __call__(self, *_args: object, **_kwargs: object) -> "_Shell":
        return self

    # Subclasses of list and dict are filled by these.
    def append(self, _item: object) -> None: ...

    def extend(self, _items: object) -> None: ...

    def __setitem__(self, _key: object, _value: object) -> None: ...


class _LenientUnpickler(pickle.Unpickler):
    """Imports what can be imported, as pickle does, and puts an empty shell for the rest."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return super().find_class(module_name, global_name)
        except (ImportError, AttributeError):
            return type(global_name.rpartition(".")[2], (_Shell,), {"__module__": module_name})


def _lenient_pickle() -> Any:
    return SimpleNamespace(
        Unpickler=_LenientUnpickler,
        UnpicklingError=pickle.UnpicklingError,
        load=pickle.load,
        __name__="pickle",
    )
