"""Settings: which servers, which home, which cloud; from what was typed, set, or written down.

Law: a value is taken from the first place that has it: option, `CORDYNA_*`, `[tool.cordyna]`, profile. Lists are replaced, never merged.

`[tool.cordyna]` stands in the nearest pyproject.toml upwards that has that table; a profile is `<config>/cordyna/<profile>.toml`, where
<config> is `$XDG_CONFIG_HOME` or `~/.config`. A profile without such a file is one of botocore's. `CORDYNA_SERVERS` parts servers by commas
(a colon already parts a server's name from its module).
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from cordyna_cli.engine import EngineOptions
from cordyna_cli.input.cli_context import GlobalFlags
from cordyna_cli.input.environment import Environment
from cordyna_cli.output.errors import Misuse
from cordyna_core.errors import UserError

_TEXTS: Final = ("home", "profile", "region", "endpoint_url", "bus")
_CLOUD: Final = ("profile", "region", "endpoint_url", "bus")
_KNOWN: Final = ("servers", *_TEXTS)

EngineName = Literal["embedded", "aws"]


@dataclass(frozen=True, slots=True)
class CliSettings:
    """Which engine, and what it is told."""

    engine: EngineName
    options: EngineOptions


def resolve(flags: GlobalFlags, environment: Environment) -> CliSettings:
    """Raises UserError when a file of settings cannot be read, or says what nobody understands."""
    typed = {"servers": list(flags.servers), **{name: getattr(flags, name) for name in _TEXTS}}
    sources = [typed, _of_environ(environment.environ), _of_project(environment.cwd)]
    profile = _first(sources, "profile")
    ours = _of_profile(profile, environment.environ) if profile else {}
    found = {name: _first([*sources, ours], name) for name in _KNOWN}
    if flags.servers:
        # Servers given by hand are run here, whatever cloud a file names; with a cloud given by hand as well, nobody knows what is meant.
        _refuse_both(typed)
        return CliSettings("embedded", EngineOptions(servers=flags.servers, home=found["home"]))
    engine: EngineName = "aws" if any(found[name] is not None for name in _CLOUD) else "embedded"
    if ours:
        # A profile of ours says by its own `profile` which of botocore's it goes with; often that is none.
        found["profile"] = ours.get("profile")
    return CliSettings(engine, EngineOptions(**{**found, "servers": tuple(found["servers"] or ())}))


def _refuse_both(typed: Mapping[str, Any]) -> None:
    clouds = [name for name in _CLOUD if typed[name] is not None]
    if clouds:
        raise Misuse(
            f"--server and --{clouds[0].replace('_', '-')} exclude each other.",
            why="--server runs task servers here; the other asks a cerebro in the cloud, whose servers declare themselves.",
            next="leave one of them out",
        )


def _first(sources: Iterable[Mapping[str, Any]], name: str) -> Any:
    return next((source[name] for source in sources if source.get(name)), None)


def _of_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: environ.get(f"CORDYNA_{name.upper()}") for name in _TEXTS}
    found["servers"] = [
        server.strip() for server in environ.get("CORDYNA_SERVERS", "").split(",") if server.strip()
    ]
    return found


def _of_project(cwd: Path) -> dict[str, Any]:
    for directory in (cwd, *cwd.parents):
        file = directory / "pyproject.toml"
        if not file.is_file():
            continue
        table = _toml(file).get("tool", {}).get("cordyna")
        if table is not None:
            found = _checked(table, file, "[tool.cordyna]")
            return _anchored(found, directory)
    return {}


def _of_profile(profile: str, environ: Mapping[str, str]) -> dict[str, Any]:
    config = (
        environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    )
    file = Path(config) / "cordyna" / f"{profile}.toml"
    return (
        _anchored(_checked(_toml(file), file, f"profile {profile}"), file.parent)
        if file.is_file()
        else {}
    )


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as unreadable:
        raise UserError(
            f"{file} cannot be read.", why=str(unreadable), next="mend the file"
        ) from unreadable


def _checked(table: Mapping[str, Any], file: Path, where: str) -> dict[str, Any]:
    problems = list(_problems(table))
    if problems:
        raise UserError(
            f"{where} in {file} is not understood.", why="\n".join(problems), next="mend the file"
        )
    return dict(table)


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        near = get_close_matches(name, _KNOWN, n=1)
        if name not in _KNOWN:
            yield f"there is no setting `{name}`" + (
                f": did you mean `{near[0]}`?" if near else f"; there are {', '.join(_KNOWN)}"
            )
        elif name == "servers" and not (
            isinstance(value, list) and all(isinstance(server, str) for server in value)
        ):
            yield '`servers` is a list of texts, for example ["my_servers.sales:server"]'
        elif name != "servers" and not isinstance(value, str):
            yield f"`{name}` is a text"


def _anchored(found: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Paths in a file are meant from where that file stands."""
    anchored = dict(found)
    if "servers" in found:
        anchored["servers"] = [
            str(directory / server) if _is_path(server) else server for server in found["servers"]
        ]
    if "home" in found:
        anchored["home"] = str(directory / Path(found["home"]).expanduser())
    return anchored


def _is_path(server: str) -> bool:
    """`my.py`, `servers/my.py:server` are files; `my.server:server` is a module."""
    return "/" in server or "\\" in server or server.partition(":")[0].endswith(".py")
