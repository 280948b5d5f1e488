"""The reference of the configuration: settings, servers, environment, where the home is.

Invariant: every variable `CORDYNA_*` that shipped code names is in a table here.
"""

import re
from pathlib import Path
from typing import Final

from markdown import GENERATED, code, table

from cordyna_cli.input.server_entries import CONCURRENCY_MAX, ISOLATIONS, OPTIONS
from cordyna_cli.input.settings import SETTINGS

ROOT: Final = Path(__file__).parents[1]
_VARIABLE: Final = re.compile(r"\bCORDYNA_[A-Z][A-Z_]*\b")

_SETTING_MEANING: Final = {
    "servers": "the task servers that run here; of `CORDYNA_SERVERS` separated by commas",
    "alerts": "where the incidents of an owner are sent; see below",
    "home": "where runs, logs and outputs are kept; `:memory:` keeps nothing",
    "profile": "a cerebro on AWS: `~/.config/cordyna/PROFILE.toml`, or a profile of AWS",
    "region": "the region of that cerebro",
    "endpoint_url": "its endpoint, for a cloud on this machine",
    "bus": "its event bus",
    "client": "the name under which commands are sent; IAM may bind it to a person",
}
_ONLY_IN_A_FILE: Final = ("alerts",)
_ALERT_MEANING: Final = {
    "webhook": "an address that gets each by POST, or `env:NAME` of a variable that has it",
    "command": "a command that gets each on its standard input, and a line as `CORDYNA_ALERT`",
    "format": "of a webhook: `json`, `slack` or `teams`",
}
_OPTION_MEANING: Final = {
    "target": (
        "a file, a module, or `exec:` and a command; `:NAME` chooses one of several",
        "required",
    ),
    "concurrency": (
        f"how many of its tasks run at the same time, 1 to {CONCURRENCY_MAX:,}",
        "what the server says, else 8",
    ),
    "python": ("the interpreter, which needs cordyna-core", "that of `dyna`"),
    "cwd": (
        "the working folder of its tasks",
        "where `dyna` was started; of `exec:` the folder of the file",
    ),
    "env": ("variables that are added to the environment", "none"),
    "isolation": (
        f"how the process of a task starts: {', '.join(map(code, ISOLATIONS))}",
        "`auto`: fork where that is safe",
    ),
}
_ON_AWS: Final = {
    "CORDYNA_SERVER": "`package.module:name` of the server",
    "CORDYNA_BUS": "the event bus",
    "CORDYNA_CHECK_QUEUE_URL": "the queue by which an ingress reports `queued` only of commands "
    "whose bodies do not begin within 3 s (default: of each command, at once)",
    "CORDYNA_CLAIMS_TABLE": "the table of claims: at most one body an attempt",
    "CORDYNA_REVISION": "of the deployment",
    "CORDYNA_QUEUE_URL": "the work queue, of an ingress and of a container",
    "CORDYNA_WORKERS": "how many bodies a container runs at the same time",
    "CORDYNA_DRAIN_S": "how long the bodies of a container may take after SIGTERM (default: 100)",
    "CORDYNA_STARTED_AFTER_S": "after how many seconds, 0 to 5, a body that still runs is reported "
    "as `started`; one that ends sooner reports its end only (default: 1; 0: at once)",
}
_INTERNAL: Final = {
    "CORDYNA_TABLE": "cerebro's table; set by its stack, as are all variables of its functions",
    "CORDYNA_CONSOLE_SIGN_IN": "how the hosted console signs people in; set by its stack",
    "CORDYNA_ALERT": "set for the command of an alert: what happened, in one line",
    "CORDYNA_WORKER_HOST": "set for the processes of task bodies, to find those of one engine",
}


def configuration_page() -> str:
    """Return the whole page. Raises ValueError if a setting or a variable has no row."""
    _require_complete()
    lines = [
        "# Configuration",
        "",
        GENERATED,
        "",
        "A value is taken from the first place that has it; lists are replaced, never merged.",
        "",
        "1. the global option of `dyna`, or the argument of `connect()`",
        "2. the variable `CORDYNA_*`",
        "3. `[tool.cordyna]` of the nearest `pyproject.toml` upwards that has this table",
        "4. the profile, `cordyna/PROFILE.toml` in `$XDG_CONFIG_HOME` or `~/.config`",
        "",
        "Paths in a file are relative to that file.",
        "With `--server`, tasks run here, whatever cloud a file names.",
        "",
        "## Settings",
        "",
        *table(
            ("setting", "option", "variable", "meaning"),
            [
                (code(name), _option(name), _variable(name), _SETTING_MEANING[name])
                for name in SETTINGS
            ],
        ),
        "",
        "Account, region and credentials that are not set here come from the AWS SDK's own chain.",
        "",
        "## Servers",
        "",
        "An entry of `servers` is a target, or a table with these options.",
        "",
        *table(
            ("option", "meaning", "default"),
            [(code(name), *_OPTION_MEANING[name]) for name in OPTIONS],
        ),
        "",
        "## Alerts",
        "",
        "`[tool.cordyna.alerts]` has an entry for each owner, or `*` for all others.",
        "",
        *table(
            ("option", "meaning"), [(code(name), text) for name, text in _ALERT_MEANING.items()]
        ),
        "",
        "## The home",
        "",
        "Without `home`, the home is found upwards from the working folder, as git does it:",
        "the first folder that has `.cordyna`, or a `pyproject.toml` with `[tool.cordyna]`.",
        "Else it is `.cordyna` in the working folder.",
        "It is readable by its owner only, and ignored by git.",
        "",
        "## A task server on AWS",
        "",
        "The [construct](../deploying.md) sets them.",
        "",
        *table(("variable", "meaning"), [(code(name), text) for name, text in _ON_AWS.items()]),
        "",
        "## Set by cordyna itself",
        "",
        *table(("variable", "meaning"), [(code(name), text) for name, text in _INTERNAL.items()]),
    ]
    return "\n".join(lines) + "\n"


def _variable(name: str) -> str:
    return "" if name in _ONLY_IN_A_FILE else code(f"CORDYNA_{name.upper()}")


def _option(name: str) -> str:
    if name in ("client", *_ONLY_IN_A_FILE):
        return ""
    return code("--server" if name == "servers" else f"--{name.replace('_', '-')}")


def _require_complete() -> None:
    described = {
        *(f"CORDYNA_{name.upper()}" for name in SETTINGS),
        *_ON_AWS,
        *_INTERNAL,
    }
    shipped = [
        path
        for pattern in ("layers/*/src", "cli/src", "console/src", "functions/cerebro/src")
        for folder in ROOT.glob(pattern)
        for path in folder.rglob("*.py")
    ]
    used = {name for path in shipped for name in _VARIABLE.findall(path.read_text())}
    missing = [*sorted(used - described), *(set(SETTINGS) - _SETTING_MEANING.keys())]
    missing += sorted(set(OPTIONS) - _OPTION_MEANING.keys())
    if missing:
        raise ValueError(f"no description of {', '.join(missing)}")
