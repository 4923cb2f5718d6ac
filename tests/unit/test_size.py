"""How large the package, its files and its functions may be, and that no import goes in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.test_layers import imports

PACKAGE = Path(__file__).parents[2] / "edgekit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_PARAMETERS = 8
LONGER = {"codegen/tflm.py generate": 63, "quantization.py quantize": 63}
WIDER = {"quantization.py quantize": 17}
"""What is over a limit today, and by how much: it may shrink and not grow, and nothing may join it."""


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(PACKAGE)} {node.name}", node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function, its docstring aside."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        assert node.body[0].end_lineno is not None
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether click calls the function: it gets every option of its command."""
    called = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
    return any("command" in ast.unparse(name) for name in called)


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert [f"{path}: {n}" for path, n in lengths.items() if n > MOST_LINES_OF_A_FILE] == []


def test_no_function_is_long() -> None:
    found = [(name, lines_of(node)) for path in SOURCES for name, node in functions(path)]
    assert [f"{name}: {n}" for name, n in found if n > LONGER.get(name, MOST_LINES_OF_A_FUNCTION)] == []


def test_no_function_takes_many_parameters() -> None:
    wide = []
    for path in SOURCES:
        for name, node in functions(path):
            given = node.args
            count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
            if count > WIDER.get(name, MOST_PARAMETERS) and not is_command(node):
                wide.append(f"{name}: {count}")
    assert wide == []


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_import_goes_in_a_circle() -> None:
    """Lazy imports and those for types count too."""
    modules = {module_of(path) for path in SOURCES}
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        name = module_of(path)
        graph[name] = set()
        for module, names, _ in imports(path):
            inner = {f"{module}.{one}" for one in names} & modules
            graph[name] |= inner or ({module} & modules)
        # The face of the package says where its names live; nobody below asks it.
        graph[name] -= {name, "edgekit"}
    graph["edgekit"] = set()
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            pytest.fail(" -> ".join((*above[above.index(name) :], name)))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
