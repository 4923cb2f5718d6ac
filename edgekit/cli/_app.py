"""The command group, the options that every command has, and the one place where errors become exit codes."""

import errno
import functools
import importlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgekit import __version__, settings
from edgekit.cli import _next
from edgekit.cli._output import Output, discard
from edgekit.errors import EdgekitError, OutputError, ToolError, UsageError

_COMPLETE = "_EDGEKIT_COMPLETE"
"""The environment variable by which a shell asks for completions, as click names it."""
# What else than a MemoryError says so: a library that cannot be mapped, a thread that gets no stack.
_NO_MEMORY = ("failed to map segment", "Cannot allocate memory", "can't start new thread", "std::bad_alloc")
_HERE = Path(__file__).parent


class _InterruptedError(EdgekitError):
    """Ctrl-C."""

    exit_code = 130
    id = "interrupted"


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


class _Command(click.Command):
    """A command that remembers what was typed, for the one that comes next."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_next.ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


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
            # The same object as in `_run`, so that an error is shown with the warnings before it.
            context = click.get_current_context()
            output = context.find_object(Output) or Output()
            output.json, output.verbosity = json_output, -1 if quiet else verbose
            if verbose:
                _show_log(output, context)
            function(output, **arguments)

        made: click.Command = click.command(cls=_Command, **attributes)(run)
        made.params += [  # behind the command's own
            click.Option(["--json", "json_output"], is_flag=True, help="Print the result as JSON on stdout."),
            click.Option(["-v", "--verbose"], count=True, help="Say more; show tracebacks of bugs."),
            click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing but results and errors."),
        ]
        return made

    return wrap


def _show_log(output: Output, context: click.Context) -> None:
    """Let the library's log be seen until the command ends: it holds what converters said."""
    import logging

    class Shown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            output.detail(self.format(record))

    log, shown = logging.getLogger("edgekit"), Shown()
    before = log.level
    log.addHandler(shown)
    log.setLevel(logging.DEBUG)
    log.propagate = (
        False  # TensorFlow gives the root a handler of its own, to a stream that is closed by then
    )
    context.call_on_close(lambda: log.removeHandler(shown))
    context.call_on_close(lambda: log.setLevel(before))
    context.call_on_close(lambda: setattr(log, "propagate", True))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code of what happened."""
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A label that the terminal's encoding lacks is no error, and no two labels look alike for that.
        sys.stdout.reconfigure(errors="backslashreplace")
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(group, {}, "edgekit", _COMPLETE, instruction))
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _open_closed_streams() -> None:
    """Send those of stdin, stdout and stderr that the caller has closed nowhere, as if they were /dev/null.

    A file that is opened later would get the number of the closed one, and what a library or another program
    writes to its stderr would end up in it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: that of the closed stream
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _run(arguments: list[str]) -> int:
    # Errors can come before the command has parsed its own options: look for them by hand.
    output = Output(json="--json" in arguments, verbosity=1 if "-v" in arguments else 0)
    code, error = _attempt(arguments, output)
    if error is not None:
        try:
            output.failure(error, code)
        except (OSError, OutputError, SystemExit):  # rich exits where a pipe is broken
            # There is nobody to tell but by the exit code.
            discard(sys.stdout)
            discard(sys.stderr)
    return code


def _attempt(arguments: list[str], output: Output) -> tuple[int, EdgekitError | None]:
    """Run a command; return its exit code, and the error that is to be shown, if there is one."""
    try:
        with group.make_context(
            "edgekit", list(arguments), obj=output, default_map=_defaults(arguments)
        ) as context:
            group.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code, None
    except click.exceptions.NoArgsIsHelpError as error:
        output.say(error.format_message())
        return UsageError.exit_code, None
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "edgekit"
        return UsageError.exit_code, UsageError(error.format_message(), f"{where} --help")
    except (KeyboardInterrupt, click.Abort) as stop:
        # Who was interrupted may have said what state it leaves things in.
        said = f"interrupted: {stop}" if str(stop) else "interrupted"
        return _InterruptedError.exit_code, _InterruptedError(said)
    except EdgekitError as error:
        return error.exit_code, error
    except BrokenPipeError:
        # The reader of our stdout has gone (`edgekit ... | head`): nobody is left to tell.
        discard(sys.stdout)
        return 0, None
    except Exception as error:
        import traceback

        output.detail("".join(traceback.format_exception(error)))
        found = _shortage(error) or _bug(error)
        return found.exit_code, found
    return 0, None


def _shortage(error: Exception) -> EdgekitError | None:
    """Return what to say where the machine is at fault: it lacks memory or room, or refuses a file."""
    said = str(error)
    number = error.errno if isinstance(error, OSError) else None
    no_memory = isinstance(error, MemoryError) or number == errno.ENOMEM
    if no_memory or any(words in said for words in _NO_MEMORY):
        return ToolError(
            "there is not enough memory",
            "close other programs, allow more (`ulimit -v` and `ulimit -u`), or give fewer or smaller images",
        )
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return ToolError(
            f"the locale's encoding, {error.encoding}, has no character {error.object[error.start]!a}",
            "set LC_ALL=C.UTF-8 or PYTHONUTF8=1",
        )
    if isinstance(error, ImportError):
        last = said.strip().splitlines()[-1:]
        return ToolError(f"a Python package cannot be loaded: {''.join(last)[:300]}", "install it again")
    if isinstance(error, OSError):
        where = "" if error.filename is None else f": '{error.filename}'"
        room = "make room there" if number in (errno.ENOSPC, errno.EDQUOT) else "-v says where that was"
        return ToolError(f"the system refuses it: {error.strerror or said}{where}", room)
    return None


def _bug(error: Exception) -> EdgekitError:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return EdgekitError(
        f"this is a bug in edgekit: {type(error).__name__} at {place}: {error}",
        "run again with -v and report what it prints",
    )


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
}


def _defaults(arguments: list[str]) -> dict[str, Any]:
    """Return click's default map: below flags and EDGEKIT_* variables, above the built-in defaults."""
    name = next((word for word in arguments if not word.startswith("-")), None)
    if name is None or name in ("init", "demo", "doctor") or {"-h", "--help"} & set(arguments):
        return {}
    found = settings.load(Path())
    values = {option: found.get(key) for option, key in _FROM_SETTINGS.items()}
    return {name: {option: value for option, value in values.items() if value is not None}}
