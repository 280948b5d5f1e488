"""Importing: the library asks for pydantic, and for nothing else."""

import subprocess
import sys

import cordyna_core

PYDANTIC_AND_WHAT_IT_NEEDS = {
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
}


def test_import_library_imports_only_pydantic() -> None:
    program = (
        "import sys; before = set(sys.modules); import cordyna_core; "
        "print(*(set(sys.modules) - before))"
    )
    imported = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()

    # What begins with an underscore is a private piece of the standard library, built for this
    # machine.
    others = {
        name.partition(".")[0] for name in imported if not name.startswith("_")
    } - sys.stdlib_module_names
    assert others <= PYDANTIC_AND_WHAT_IT_NEEDS | {"cordyna_core"}
    assert not {"cordyna_core.testing", "cordyna_core.server.loading", "cordyna_cli"} & set(
        imported
    )


def test_import_library_exports_the_public_names() -> None:
    assert set(cordyna_core.__all__) == {
        "Context",
        "RetryableError",
        "TaskResult",
        "TaskServer",
        "TerminalError",
        "UserError",
        "__version__",
        "fresh",
        "upstream",
    }
