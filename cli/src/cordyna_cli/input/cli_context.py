"""CLI context: the environment and the global options of one call, before a command is imported."""

from dataclasses import dataclass, field

from cordyna_cli.input.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalFlags:
    """The global options as they were typed; None or empty where they were not."""

    servers: tuple[str, ...] = ()
    home: str | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    bus: str | None = None


@dataclass(slots=True)
class CliContext:
    """Filled in while the command line is read."""

    environment: Environment
    flags: GlobalFlags = field(default_factory=GlobalFlags)
    debug: bool = False
