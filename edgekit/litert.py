"""LiteRT's interpreter, in a process of its own: `python -m edgekit.litert`, asked by `edgekit.oracle`.

BUILTIN_REF, one thread. With `reuse`, LiteRT's default, the memory of a tensor is given to others after its
last reader; LiteRT can then overwrite a tensor that a view shares and that is read again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert

from edgekit.child import Message, serve

_MADE: dict[bool, Any] = {}
"""The interpreters of the one model, by `reuse`."""
_MODEL = [b""]
"""LiteRT refers to the model's bytes, so they must live as long as the interpreters."""


def answer(head: Mapping[str, Any], body: bytes) -> Message:
    """Do `load` with a model, or `run` with `frames` of its input, for their outputs or for `all` tensors."""
    if head["do"] == "load":
        _MODEL[0] = body
        return _described(_interpreter(reuse=False)), b""
    interpreter = _interpreter(reuse=head.get("reuse", False))
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    made = []
    for values in np.frombuffer(body, source["dtype"]).reshape(head["frames"], *source["shape"]):
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        made.append(interpreter.get_tensor(target["index"]).tobytes())
    return _all(interpreter) if head.get("all", False) else ({}, b"".join(made))


def _all(interpreter: Any) -> Message:
    """Return every tensor that has values, and in the head which."""
    places, parts = [], []
    for detail in interpreter.get_tensor_details():
        try:
            found = interpreter.get_tensor(detail["index"])
        except ValueError:
            # An operator's scratch memory has no values to show.
            continue
        if found.dtype.kind in "biuf":
            places.append((int(detail["index"]), found.dtype.str, found.shape))
            parts.append(found.tobytes())
    return {"tensors": places}, b"".join(parts)


def _interpreter(*, reuse: bool) -> Any:
    if reuse not in _MADE:
        _MADE[reuse] = litert.Interpreter(
            model_content=_MODEL[0],
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=not reuse,
            num_threads=1,
        )
        _MADE[reuse].allocate_tensors()
    return _MADE[reuse]


def _described(interpreter: Any) -> dict[str, Any]:
    """Return what the inputs and outputs are called and hold."""
    try:
        return {
            word: [
                {"name": d["name"], "dtype": np.dtype(d["dtype"]).name, "shape": d["shape"].tolist()}
                for d in getattr(interpreter, f"get_{word}_details")()
            ]
            for word in ("input", "output")
        }
    except UnicodeDecodeError as error:
        raise ValueError("the name of a tensor is not UTF-8") from error


if __name__ == "__main__":
    serve(answer)
