"""The command group, the options that every command has, and the one place where errors become exit codes."""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgekit import __version__, settings
from edgekit.cli._output import Output
from edgekit.errors import EdgekitError, UsageError

INTERRUPTED = 130
_BUG = 1
_HERE = Path(__file__).parent


class _Commands(click.Group):
    """A command is a file beside this one that defines `command`; names starting with _ are not."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return sorted(p.stem for p in _HERE.glob("*.py") if not p.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module: Any = importlib.import_module(f"edgekit.cli.{cmd_name}")
        found: click.Command = module.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not near or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgekit")
def group() -> None:
    """Take an image classifier from PyTorch or ONNX to a microcontroller, and prove what it computes.

    \b
    The line:   quantize -> generate -> build -> flash -> monitor
    First look: edgekit demo
    """


def command(**attributes: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function whose first argument is an `Output`; adds --json, -v and -q."""

    def wrap(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(*, json_output: bool, verbose: int, quiet: bool, **arguments: Any) -> None:
            output = Output(json=json_output, verbosity=-1 if quiet else verbose)
            click.get_current_context().obj = output
            function(output, **arguments)

        made: click.Command = click.command(**attributes)(run)
        made.params += [  # behind the command's own
            click.Option(["--json", "json_output"], is_flag=True, help="Print the result as JSON on stdout."),
            click.Option(["-v", "--verbose"], count=True, help="Say more; show tracebacks of bugs."),
            click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing but results and errors."),
        ]
        return made

    return wrap


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code of what happened."""
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    # Errors can come before the command has parsed its own options: look for them by hand.
    output = Output(json="--json" in arguments, verbosity=1 if "-v" in arguments else 0)
    try:
        with group.make_context("edgekit", list(arguments), default_map=_defaults(arguments)) as context:
            group.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return UsageError.exit_code
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "edgekit"
        output.failure(UsageError(error.format_message(), f"{where} --help"), UsageError.exit_code)
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        output.failure(EdgekitError("interrupted"), INTERRUPTED)
        return INTERRUPTED
    except EdgekitError as error:
        output.failure(error, error.exit_code)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our stdout has gone (`edgekit ... | head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _bug(output, error)
    return 0


def _bug(output: Output, error: Exception) -> int:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    said = EdgekitError(
        f"this is a bug in edgekit: {type(error).__name__} at {place}: {error}",
        "run again with -v and report what it prints",
    )
    output.failure(said, _BUG)
    if output.verbosity > 0:
        traceback.print_exception(error)
    return _BUG


# Which option of which command takes its default from which key of edgekit.toml.
_FROM_SETTINGS = {
    "source_model": "model.source",
    "model": "model.output",
    "tflite": "model.output",
    "builder": "model.builder",
    "labels": "model.labels",
    "size": "input.size",
    "color": "input.color",
    "resize": "input.resize",
    "mean": "input.mean",
    "std": "input.std",
    "calibration": "data.calibration",
    "evaluation": "data.eval",
    "source": "data.source",
    "max_drop": "accuracy.max_drop",
    "board": "board.id",
    "port": "board.port",
    "out": "build.out",
}


def _defaults(arguments: list[str]) -> dict[str, Any]:
    """Return click's default map: below flags and EDGEKIT_* variables, above the built-in defaults."""
    name = next((word for word in arguments if not word.startswith("-")), None)
    if name is None or name in ("init", "demo", "doctor") or {"-h", "--help"} & set(arguments):
        return {}
    found = settings.load(Path.cwd())
    values = {option: found.get(key) for option, key in _FROM_SETTINGS.items()}
    return {name: {option: value for option, value in values.items() if value is not None}}
