"""Bodies that start processes of their own, and exchange pickles with them."""

import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cordyna_core import TaskServer

server = TaskServer("pools")


@dataclass
class Model:
    weight: int


def square(number: int) -> int:
    sys.stdout.write(f"square of {number}\n")
    return number * number


def grown(model: Model) -> Model:
    return Model(model.weight + 1)


@server.task
def executor(method: str) -> list[int]:
    context: Any = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        return list(pool.map(square, range(3)))


@server.task
def pool(method: str) -> list[int]:
    with multiprocessing.get_context(method).Pool(1) as workers:
        return [model.weight for model in workers.map(grown, [Model(1), Model(2)])]


@server.task
def dump(path: str) -> str:
    Path(path).write_bytes(pickle.dumps(Model(7)))
    return Model.__module__


@server.task
def read(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes()).weight
