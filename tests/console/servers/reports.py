"""The reporting team's server: what others wait for."""

from typing import Annotated, Literal

from pydantic import Field

from cordyna_core import Context, TaskServer

server = TaskServer("reports", owner="team-reports")


@server.task()
def rates(*, ctx: Context) -> dict[str, float]:
    """Exchange rates."""
    return {"eur": 1.0, "usd": 1.1}


@server.task(upstream=["load", "rates"], cron="0 7 * * 1-5", timezone="Europe/Berlin")
def report(
    day: Annotated[str, Field(description="A day, or `today`.")] = "today",
    top: Annotated[int, Field(ge=1, le=50)] = 5,
    style: Literal["short", "long"] = "short",
    *,
    ctx: Context,
) -> dict[str, object]:
    """The report for all teams."""
    return {"day": day, "top": top, "style": style}


@server.task(upstream=["rates", "nowhere"])
def orphan(*, ctx: Context) -> None:
    """Needs a task that no server declares."""
