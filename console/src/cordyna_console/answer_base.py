"""Answer base: what every answer of the API has in common."""

from pydantic import BaseModel, ConfigDict


class ApiAnswer(BaseModel):
    """What the API answers. Frozen, as the contract's parts are."""

    model_config = ConfigDict(frozen=True)
