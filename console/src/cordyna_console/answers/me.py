"""Me: which cerebro this console shows, and what this person may do."""

from cordyna_cli.wording.driver import driver_sentence, is_driven
from cordyna_console.console import Console
from cordyna_console.models import CerebroState, DriverState, Me, Permissions
from cordyna_core.contract.time import utc


def me(console: Console) -> Me:
    """Where one is."""
    identity, cerebro = console.identity, console.engine.cerebro()
    return Me(
        engine=identity.engine,
        where=identity.where,
        command=identity.command,
        by=identity.by,
        version=identity.version,
        cerebro=CerebroState(
            version=cerebro.version, generation=cerebro.generation, now=utc(cerebro.now)
        ),
        can=Permissions(invoke=console.permission("invoke"), operate=console.permission("operate")),
        live=identity.live,
        place=identity.place,
        driver=_driver(console) if identity.engine == "embedded" else None,
    )


def _driver(console: Console) -> DriverState:
    lost = console.deleted_home()
    if lost is not None:
        sentence = f"the home {lost} was deleted, and what is shown is the last of it"
        following = f"{console.identity.command} --server my.py dev"
        return DriverState(drives=False, sentence=sentence, next=following)
    driver = console.engine.driver()
    drives = is_driven(driver)
    sentence = driver_sentence(driver, console.now())
    following = "" if drives else f"{console.identity.command} --server my.py dev"
    return DriverState(drives=drives, sentence=sentence, next=following)
