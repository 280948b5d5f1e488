"""Mutants: every planted bug of bench/mutants.toml applies to the code of today."""

import ast
import builtins
import symtable
from collections import Counter
from collections.abc import Iterator

import pytest
from mutant_list import MUTANTS, DoesNotApply, Mutant, mutate


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_applies_to_its_module_exactly_once(mutant: Mutant) -> None:
    text = mutant.file.read_text()
    mutated = mutate(text, mutant)
    assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(text))


def undefined_names(table: symtable.SymbolTable, defined: set[str]) -> Iterator[str]:
    """Yield the global names that the functions of a module use and the module has not."""
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced() and symbol.get_name() not in defined:
            yield symbol.get_name()
    for child in table.get_children():
        yield from undefined_names(child, defined)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_uses_only_names_of_its_module(mutant: Mutant) -> None:
    """Any test would catch one that raises a NameError."""
    text = mutate(mutant.file.read_text(), mutant)
    module = symtable.symtable(text, mutant.module, "exec")
    bound = {
        symbol.get_name()
        for symbol in module.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    known = bound | set(dir(builtins)) | {"__file__", "__name__"}
    assert not set(undefined_names(module, known))


def test_mutant_names_are_unique() -> None:
    assert [name for name, count in Counter(m.name for m in MUTANTS).items() if count > 1] == []


@pytest.mark.parametrize("text", ["nothing", "a = 1\na = 1\n"])
def test_mutant_not_found_exactly_once_is_refused(text: str) -> None:
    with pytest.raises(DoesNotApply, match="not once"):
        mutate(text, Mutant("m", "core/m.py", "a = 1", "a = 2"))


def test_mutant_is_found_whatever_the_white_space() -> None:
    text = "def f():\n    return (\n        a,\n    )\n"
    mutated = mutate(text, Mutant("m", "m", "return (a,)", "if a:\n    return b\nreturn c"))
    assert mutated == "def f():\n    if a:\n        return b\n    return c\n"
