"""The first arrow of the line, whole: a model file and images become an int8 .tflite and a report."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edgekit import data
from edgekit.contract import Color, Preprocess, Resize, preprocessing
from edgekit.convert import load
from edgekit.convert.evaluate import MOST_FAILURES, Evaluation, evaluate
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.quantize import QuantizedModel
from edgekit.convert.quantize import quantize as to_int8
from edgekit.convert.recipe import Recipe
from edgekit.data import Dataset, Split
from edgekit.errors import AccuracyError, DataError, OracleError, UsageError
from edgekit.files import check_writable, write_whole
from edgekit.oracle import Oracle
from edgekit.reference import Reference

Data: TypeAlias = Path | str | Dataset


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What `quantize` wrote, and how good it is."""

    path: Path
    model: QuantizedModel = field(repr=False)
    evaluation: Evaluation | None
    """Float and int8 on the evaluation data; None without any, or where the reference could not run it:
    a warning says why."""
    warnings: tuple[str, ...]


def quantize(
    model: Path | str,
    calibration: Data,
    output: Path | str,
    *,
    labels: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: tuple[int, int] | None = None,
    color: str | None = None,
    resize: str | None = None,
    builder: str | None = None,
    trust_pickle: bool = False,
    evaluation: Data | None = None,
    max_drop: float | None = None,
    limit: int = 256,
    on_broken: str = "refuse",
    allow_random: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> QuantizeReport:
    """Quantise a classifier to int8 and write it with its contract. Equal input gives equal bytes.

    Args:
        model: .onnx, a PyTorch state dict, TorchScript or a torch.export archive; known by its content.
        calibration: real images; a path that `data.load` reads, or a Dataset.
        output: the .tflite to write; whole or not at all.
        labels: one per output, in the model's order; None takes a labelled folder's class names when
            they are as many as the outputs, else 0..N-1.
        mean, std: per channel in units of 0..1; None means 0 and 1.
        size: (height, width); needed for PyTorch models.
        color: rgb, bgr or gray; None takes gray for one channel, else rgb.
        resize: squash, crop or pad; None is squash.
        builder: `package.module:callable` that makes the module of a state dict.
        trust_pickle: read a file that can run any code of its author: TorchScript, torch.export archives,
            pickled Python objects.
        evaluation: labelled images to compare float and int8 on.
        max_drop: points of top-1 that int8 may lose.
        limit: calibrate with at most this many images.
        on_broken: `refuse` or `skip` images that cannot be read.
        allow_random: accept calibration data that looks like random numbers.
        progress: told in words what happens.

    Raises:
        UsageError, DataError, ModelError, UnsupportedOpError, MissingExtraError: the input is not usable.
        AccuracyError: int8 lost more than `max_drop`; nothing is written.
        OutputError: `output` cannot be written.
    """
    target = Path(output)
    check_writable(target)
    if max_drop is not None and evaluation is None:
        raise UsageError("max_drop needs evaluation data", "pass --eval DATA with labelled images")
    broken = data.OnBroken(on_broken)
    source = load.load_model(Path(model), builder=builder, trust_pickle=trust_pickle, size=size)
    preprocess = _preprocess(source, color, resize, mean, std)
    chosen = tuple(labels) if labels is not None else None
    images = _open(calibration, None, Split.TRAIN)
    # As stored: resizing would make noise look smooth.
    data.refuse_random(images, allow_random=allow_random)
    if chosen is None and images.classes is not None and len(images.classes) == source.classes:
        chosen = images.classes
    tested = None if evaluation is None else _open(evaluation, chosen, Split.TEST)
    if tested is not None:
        tested.check_labels(source.classes)
    if max_drop is not None and (tested is None or tested.labels is None):
        raise DataError(
            "the evaluation data has no labels, so no accuracy can be compared",
            "give one folder per class, or .npz with `labels`",
        )
    frames = data.frames(images, preprocess, source.size, limit=limit, on_broken=broken)
    recipe = Recipe(preprocess, chosen, limit, allow_random)
    made = to_int8(source, frames.pixels, recipe, progress=progress)
    warnings = [*made.notes, *(f"skipped: {reason}" for reason in frames.skipped)]
    found = None
    if tested is not None:
        test = data.frames(tested, preprocess, source.size, on_broken=broken)
        warnings += [f"skipped: {reason}" for reason in test.skipped]

        def count(done: int) -> None:
            progress(f"comparing float and int8: {done} of {len(test)} images")

        try:
            with closing(Oracle(made.data)) as oracle:
                reference = Reference(oracle, made.contract, MOST_FAILURES)
                found = evaluate(source, made.contract, reference, test, progress=count)
        except OracleError as error:
            warnings.append(_unmeasured(error, max_drop))
        else:
            warnings += _gate(found, max_drop)
    write_whole(target, made.data)
    return QuantizeReport(target, made, found, tuple(warnings))


def _preprocess(
    model: OnnxModel,
    color: str | None,
    resize: str | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> Preprocess:
    chosen = Color(color) if color else (Color.GRAY if model.channels == 1 else Color.RGB)
    return preprocessing(
        chosen,
        resize=Resize(resize) if resize else Resize.SQUASH,
        mean=(0.0,) if mean is None else mean,
        std=(1.0,) if std is None else std,
    )


def _open(source: Data, labels: tuple[str, ...] | None, split: Split) -> Dataset:
    return source if isinstance(source, Dataset) else data.load(Path(source), labels=labels, split=split)


def _unmeasured(error: OracleError, max_drop: float | None) -> str:
    said = f"the int8 accuracy could not be measured: {error.message}"
    if max_drop is not None:
        raise AccuracyError(
            f"{said}; so `max_drop` cannot be held, and nothing was written",
            "without --max-drop the model is written all the same",
        ) from error
    return f"{said}; the model is whole"


def _gate(found: Evaluation, max_drop: float | None) -> tuple[str, ...]:
    """Return a warning if images were left out; each counts as lost where a drop is limited."""
    missed = len(found.left_out)
    warnings = (f"{missed} of {found.n + missed} images are left out: {found.left_out[0]}",) if missed else ()
    if max_drop is None or found.drop_points is None:
        return warnings
    drop = (found.drop_points * found.n + 100 * missed) / (found.n + missed)
    if drop <= max_drop:
        return warnings
    assert found.top1_float is not None
    assert found.top1_int8 is not None
    lost = f", the {missed} of them that the reference has no answer for counted as lost" if missed else ""
    raise AccuracyError(
        f"int8 loses {drop:.2f} points of top-1 ({100 * found.top1_float:.2f} % float, "
        f"{100 * found.top1_int8:.2f} % int8 on {found.n + missed} images{lost}), more than the {max_drop:g} "
        "allowed; nothing was written",
        "calibrate with more images like those in use; docs/how-to/when-accuracy-drops.md has a list",
        {"drop_points": drop, "top1_float": found.top1_float, "top1_int8": found.top1_int8},
    )
