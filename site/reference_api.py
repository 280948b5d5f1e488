"""The reference of the Python API: the library for task servers, its test helpers, the client."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from markdown import GENERATED, sentences

MODULES = (
    ("cordyna_core", "What a task server needs: `pip install cordyna-core`."),
    (
        "cordyna_core.testing",
        "For tests ([how to](../how-to/test-a-server.md)); `run_graph` needs `cordyna-cerebro`.",
    ),
    ("cordyna", "The client: `pip install cordyna`."),
)


def python_api_page() -> str:
    """Return the whole page."""
    lines = [
        "# Python API",
        "",
        GENERATED,
        "",
        "What is listed here is public; [compatibility](../compatibility.md) says what stays.",
    ]
    for module_name, purpose in MODULES:
        lines += ["", f"## {module_name}", "", purpose]
        module = importlib.import_module(module_name)
        for name in sorted(module.__all__, key=str.casefold):
            value = getattr(module, name)
            if not name.startswith("_"):
                lines += _entry(name, value)
    return "\n".join(lines) + "\n"


def _entry(name: str, value: Any) -> Iterator[str]:
    yield from ("", f"### {name}", "")
    if inspect.isclass(value):
        yield from _block(f"class {name}{_signature(value)}")
        yield from _doc(value)
        yield from _members(value)
    else:
        yield from _block(f"{name}{_signature(value)}")
        yield from _doc(value)


def _members(owner: type) -> Iterator[str]:
    """Yield the public methods and properties that the class itself defines."""
    for name, member in vars(owner).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield from ("", f"**`{name}`**")
            yield from _doc(member)
        elif inspect.isfunction(member):
            prefix = "async " if _is_async(member) else ""
            yield from ("", f"**`{prefix}{name}{_signature(member)}`**")
            yield from _doc(member)


def _is_async(member: Any) -> bool:
    return inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)


def _signature(value: Any) -> str:
    """As the source has it, so that it is the same with every version of Python."""
    if not inspect.isclass(value):
        return _arguments(value)
    if getattr(value, "_is_protocol", False):
        return ""
    if "__init__" in vars(value) and not is_dataclass(value):
        return _arguments(vars(value)["__init__"])
    fields = [node for node in _node(value).body if isinstance(node, ast.AnnAssign)]
    return f"({', '.join(map(_field, fields))})" if fields else ""


def _field(node: ast.AnnAssign) -> str:
    """Return `name: type = default`, where `field(default=...)` is its default."""
    match node.value:
        case ast.Call(func=ast.Name("field"), keywords=[ast.keyword("default", value), *_]):
            node = ast.AnnAssign(node.target, node.annotation, value, node.simple)
    return ast.unparse(node)


def _arguments(function: Any) -> str:
    node = _node(inspect.unwrap(function))
    # A class of the same module is named by a text.
    returns = "" if node.returns is None else ast.unparse(node.returns).strip("'")
    arrow = f" -> {returns}" if returns not in ("", "None") else ""
    return f"({', '.join(_parameters(node.args))}){arrow}"


def _parameters(node: ast.arguments) -> Iterator[str]:
    """Yield `name: type = default`, without `self`."""
    positional = [*node.posonlyargs, *node.args]
    missing = [None] * (len(positional) - len(node.defaults))
    for at, (argument, default) in enumerate(
        zip(positional, [*missing, *node.defaults], strict=True)
    ):
        if argument.arg != "self":
            yield _parameter(argument, default)
        if at + 1 == len(node.posonlyargs):
            yield "/"
    if node.vararg is not None:
        yield f"*{_parameter(node.vararg, None)}"
    elif node.kwonlyargs:
        yield "*"
    for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if node.kwarg is not None:
        yield f"**{_parameter(node.kwarg, None)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    match argument.annotation:  # what is imported for types only is named by a text
        case ast.Constant(value=str(named)):
            argument = ast.arg(argument.arg, ast.parse(named, mode="eval").body)
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default is not None else "")


def _node(value: Any) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]


def _block(signature: str) -> Iterator[str]:
    yield from ("```text", signature, "```")


def _doc(value: Any) -> Iterator[str]:
    """Yield the docstring: its text, then its sections as lists."""
    body, *parts = re.split(r"\n+(Args|Returns|Raises):\n", inspect.getdoc(value) or "")
    if body:
        yield from ("", *sentences(body))
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        # What follows one without indent belongs to the docstring's own text.
        indented, _, after = text.partition("\n\n")
        if title == "Returns":
            yield from ("", *sentences(f"Returns: {indented}"))
        else:
            yield from ("", *([] if title == "Args" else ["Raises:", ""]), *_items(indented))
        if after:
            yield from ("", *sentences(inspect.cleandoc(after)))


def _items(text: str) -> Iterator[str]:
    """Yield `name: meaning` lines as a list; deeper lines continue the one above."""
    entries: list[str] = []
    lines = text.strip("\n").splitlines()
    base = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    for line in lines:
        is_continued = len(line) - len(line.lstrip()) > base
        if entries and (is_continued or ": " not in line):
            entries[-1] += f" {line.strip()}"
        else:
            entries.append(line.strip())
    for entry in entries:
        name, _, meaning = entry.partition(": ")
        first, *more = sentences(meaning)
        yield f"- `{name}`: {first}"
        yield from (f"  {sentence}" for sentence in more)
