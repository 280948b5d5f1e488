"""A server declares the same in every process: another declaration would replace its own.

The order of a set depends on the hash seed of the process.
"""

import os
import subprocess
import sys

SERVER = """
import enum
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cordyna_core import TaskServer, fresh, upstream

server = TaskServer("s")


class Color(enum.Enum):
    RED, GREEN, BLUE, WHITE = "red", "green", "blue", "white"


@dataclass(frozen=True)
class Inner:
    names: frozenset[str]


class Choice(BaseModel):
    tags: set[str] = {"p", "q", "r", "s"}
    colors: frozenset[Color] = frozenset(Color)
    hidden: int = Field(0, exclude=True)
    kinds: set[Literal["x", "y", "z"]] = Field({"x", "y", "z"}, alias="theKinds")
    inner: dict[str, list[Inner]] = {"a": [Inner(frozenset("pqrs"))]}


server.task(name="p", consumers={"a", "b", "c", "d"}, invokers=frozenset("abcd"))(lambda: None)
server.task(name="q", upstream={"p", "r", "s", fresh("t", within="1h")})(lambda: None)


@server.task
def pick(choice: Choice = Choice(), more: frozenset[Color] = frozenset(Color)) -> Choice:
    return choice


@server.task
def use(choice: Annotated[Choice, upstream("pick")]) -> None: ...


print(server.declaration.model_dump_json())
"""


def declaration(hash_seed: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SERVER],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_declaration_is_the_same_in_every_process() -> None:
    first = declaration(1)
    assert '"consumers":["a","b","c","d"]' in first
    assert '"default":["blue","green","red","white"]' in first
    assert {declaration(seed) for seed in range(2, 6)} == {first}
