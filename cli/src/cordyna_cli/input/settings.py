"""Settings: which servers, which home and which cloud, from options, environment and files.

Invariant: a value is taken from the first place that has it: option, `CORDYNA_*`, `[tool.cordyna]`,
profile. Lists are replaced, never merged.

`[tool.cordyna]` is read from the nearest pyproject.toml upwards that has that table. A profile is
`<config>/cordyna/<profile>.toml`, where <config> is `$XDG_CONFIG_HOME` or `~/.config`; a profile
without such a file is one of botocore's. `CORDYNA_SERVERS` separates servers by commas, because a
colon already separates a server's name from its module.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Protocol

from cordyna_cli.engine import EngineOptions, ServerOptions
from cordyna_cli.engines import EngineName
from cordyna_cli.input.alert_targets import alert_problems, read_alerts
from cordyna_cli.input.cli_context import GlobalFlags
from cordyna_cli.input.server_entries import (
    ConfiguredServer,
    absolute_target,
    entry_problems,
    read_entries,
)
from cordyna_cli.usage_error import UsageError
from cordyna_core.errors import UserError
from cordyna_core.paths import expand_user, is_file

_TEXT_SETTINGS: Final = ("home", "profile", "region", "endpoint_url", "bus")
_CLOUD_SETTINGS: Final = ("profile", "region", "endpoint_url", "bus")
_FILE_SETTINGS: Final = ("client",)
"""Without an option: who one is does not change from command to command."""

SETTINGS: Final = ("servers", "alerts", *_TEXT_SETTINGS, *_FILE_SETTINGS)


@dataclass(frozen=True, slots=True)
class CliSettings:
    """The chosen engine and its options."""

    engine: EngineName
    options: EngineOptions


class Surroundings(Protocol):
    """Where settings are read from: an Environment, or what a program gives."""

    @property
    def environ(self) -> Mapping[str, str]: ...

    @property
    def cwd(self) -> Path: ...


def resolve(flags: GlobalFlags, environment: Surroundings) -> CliSettings:
    """Combine options, environment and files.

    Raises UsageError for options that exclude each other, and UserError for a file that cannot be
    read or has unknown settings.
    """
    options = {name: getattr(flags, name) for name in _TEXT_SETTINGS}
    options["servers"] = list(flags.servers)
    sources = [options, _from_environ(environment.environ), _from_project(environment.cwd)]
    profile = _first(sources, "profile")
    profile_file = _from_profile(profile, environment.environ) if profile else {}
    values = {name: _first([*sources, profile_file], name) for name in SETTINGS}
    entries = _first(sources[1:], "entries") or _first([profile_file], "entries") or []
    if flags.servers:
        # Servers given as options run here, whatever cloud a file names.
        _refuse_cloud_options(options)
        return CliSettings(
            "embedded",
            EngineOptions(
                servers=flags.servers,
                home=values["home"],
                alerts=values["alerts"] or {},
                server_options=_options_of(flags.servers, entries, environment.cwd),
            ),
        )
    in_cloud = any(values[name] is not None for name in _CLOUD_SETTINGS)
    if profile_file:
        # A profile of ours names the one of botocore by its own `profile`, or names none.
        values["profile"] = profile_file.get("profile")
    return CliSettings(
        "aws" if in_cloud else "embedded",
        EngineOptions(
            **{
                **values,
                "servers": tuple(values["servers"] or ()),
                "known_profiles": _known_profiles(profile, profile_file, environment.environ),
                "alerts": values["alerts"] or {},
                "server_options": _options_of(values["servers"] or (), entries, environment.cwd),
            }
        ),
    )


def _options_of(
    targets: Iterable[str], entries: Iterable[ConfiguredServer], cwd: Path
) -> dict[str, ServerOptions]:
    """Return the options of entries for these targets.

    A target that equals an entry has its options.
    """
    options = {entry.target: entry.options for entry in entries if entry.options is not None}
    return {
        target: configured
        for target in targets
        if (configured := options.get(absolute_target(target, cwd))) is not None
    }


def _refuse_cloud_options(options: Mapping[str, Any]) -> None:
    cloud_options = [name for name in _CLOUD_SETTINGS if options[name] is not None]
    if cloud_options:
        raise UsageError(
            f"--server and --{cloud_options[0].replace('_', '-')} exclude each other.",
            why="--server runs task servers here; the other uses a cerebro in the cloud, whose "
            "servers declare themselves.",
            next="leave one of them out",
        )


def _first(sources: Iterable[Mapping[str, Any]], name: str) -> Any:
    return next((source[name] for source in sources if source.get(name)), None)


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: environ.get(f"CORDYNA_{name.upper()}") for name in (*_TEXT_SETTINGS, *_FILE_SETTINGS)
    }
    servers = environ.get("CORDYNA_SERVERS", "").split(",")
    values["servers"] = [server.strip() for server in servers if server.strip()]
    return values


def _from_project(cwd: Path) -> dict[str, Any]:
    for directory in (cwd, *cwd.parents):
        file = directory / "pyproject.toml"
        if not is_file(file):
            continue
        tool = _read_toml(file).get("tool")
        table = tool.get("cordyna") if isinstance(tool, dict) else None
        if table is not None:
            return _with_absolute_paths(_checked(table, file, "[tool.cordyna]"), directory)
    return {}


def _from_profile(profile: str, environ: Mapping[str, str]) -> dict[str, Any]:
    file = _profile_folder(environ) / f"{profile}.toml"
    if not is_file(file):
        return {}
    return _with_absolute_paths(_checked(_read_toml(file), file, f"profile {profile}"), file.parent)


def _profile_folder(environ: Mapping[str, str]) -> Path:
    config = environ.get("XDG_CONFIG_HOME") or expand_user(environ.get("HOME", "~")) / ".config"
    return Path(config) / "cordyna"


def _known_profiles(
    profile: str | None, profile_file: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the profiles of dyna if the named one has no file: AWS may not know it either."""
    if profile is None or profile_file:
        return ()
    return tuple(sorted(file.stem for file in _profile_folder(environ).glob("*.toml")))


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as unreadable:
        raise UserError(
            f"{file} cannot be read.", why=str(unreadable), next="fix the file"
        ) from unreadable


def _checked(table: object, file: Path, where: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UserError(
            f"{where} in {file} is not a table.",
            why=f"it is {table!r}",
            next=f'write {where}, and below it for example servers = ["my.py"]',
        )
    problems = list(_problems(table))
    if problems:
        raise UserError(
            f"{where} in {file} has settings that are not valid.",
            why="\n".join(problems),
            next="fix the file",
        )
    return dict(table)


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        near = get_close_matches(name, SETTINGS, n=1)
        if name not in SETTINGS:
            yield f"there is no setting `{name}`" + (
                f": did you mean `{near[0]}`?" if near else f"; there are {', '.join(SETTINGS)}"
            )
        elif name == "servers":
            yield from entry_problems(value)
        elif name == "alerts":
            yield from alert_problems(value)
        elif not isinstance(value, str):
            yield f"`{name}` is a text"


def _with_absolute_paths(values: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Paths in a file are relative to that file."""
    absolute = dict(values)
    if "alerts" in values:
        absolute["alerts"] = read_alerts(values["alerts"])
    if "servers" in values:
        absolute["entries"] = read_entries(values["servers"], directory)
        absolute["servers"] = [entry.target for entry in absolute["entries"]]
    if "home" in values:
        absolute["home"] = str(directory / expand_user(values["home"]))
    return absolute
