"""Usage error: the command line, or a file of settings, asks for something that cannot be."""

from cordyna_core.errors import UserError


class UsageError(UserError):
    """The command line cannot be read. `dyna` exits with 2."""
