"""`edgekit quantize`: a PyTorch or ONNX classifier becomes an int8 .tflite with its contract."""

from pathlib import Path

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="Turn a PyTorch or ONNX classifier into an int8 .tflite.")
@click.option("--calibration", type=_options.PATH, metavar="DATA", help="100 to 500 real images.")
@click.option(
    "--eval", "evaluation", type=_options.PATH, metavar="DATA", help="Labelled images to compare on."
)
@click.option("-o", "--output", "tflite", type=_options.PATH, help="The .tflite to write.")
@_options.labels
@_options.mean
@_options.std
@click.option(
    "--size", type=_options.Size(), metavar="HxW", help="Height x width.  [default: as the model says]"
)
@_options.color
@_options.resize
@click.option("--builder", metavar="MODULE:CALLABLE", help="Makes the module of a state dict.")
@click.option(
    "--trust-pickle",
    is_flag=True,
    help="Read TorchScript, torch.export or pickled objects: they can run any code of their author.",
)
@click.option(
    "--max-drop",
    type=_options.Real(min=0),
    metavar="POINTS",
    help="Points of top-1 that int8 may lose (exit 5).",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=256,
    show_default=True,
    help="Calibrate with at most N images.",
)
@click.option(
    "--on-broken",
    type=click.Choice(["refuse", "skip"]),
    default="refuse",
    show_default=True,
    help="What to do with an image that cannot be read.",
)
@click.option("--allow-random-calibration", is_flag=True, help="Accept calibration data that looks random.")
@click.argument("source_model", metavar="MODEL", type=_options.PATH, required=False)
def command(
    output: Output,
    calibration: Path | None,
    evaluation: Path | None,
    tflite: Path | None,
    labels: tuple[str, ...] | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    size: tuple[int, int] | None,
    color: str | None,
    resize: str | None,
    builder: str | None,
    trust_pickle: bool,
    max_drop: float | None,
    limit: int,
    on_broken: str,
    allow_random_calibration: bool,
    source_model: Path | None,
) -> None:
    """Quantise MODEL (.onnx, a state dict, TorchScript or torch.export) with your own images.

    The last two are programs, as are checkpoints with more than tensors: they need --trust-pickle.

    DATA is a folder with one sub-folder per class, a flat folder (calibration only), .npz with `images`
    and `labels`, MNIST idx files or CIFAR-10 binary batches. Mean and std are in 0..1 units.

    \b
    Example: edgekit quantize model.onnx --calibration calibration/ --eval test/ -o model.tflite
    """
    from edgekit.cli import _quantize_report
    from edgekit.quantization import quantize

    with output.status("quantising") as progress:
        report = quantize(
            _options.require(source_model, "model", "MODEL"),
            _options.require(calibration, "calibration data", "--calibration"),
            _options.require(tflite, "output", "-o model.tflite"),
            labels=labels,
            mean=mean,
            std=std,
            size=size,
            color=color,
            resize=resize,
            builder=builder,
            trust_pickle=trust_pickle,
            evaluation=evaluation,
            max_drop=max_drop,
            limit=limit,
            on_broken=on_broken,
            allow_random=allow_random_calibration,
            progress=progress,
        )
    for warning in report.warnings:
        output.warn(warning)
    _quantize_report.render(output, report)
    output.result(_quantize_report.fields(report))
