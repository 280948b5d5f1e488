"""The task server sql-models: each query of models/ is a task that makes a table."""

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from cordyna_core import TaskServer, TerminalError

server = TaskServer("sql-models", owner="team-analytics", concurrency=1)

FOLDER = Path(__file__).parent
DATABASE = Path(os.environ.get("DATABASE", FOLDER / "warehouse.db"))
REFERENCE = re.compile(r"\{\{\s*ref\('([\w-]+)'\)\s*\}\}")


def body_of(model: str, query: str) -> Callable[[], dict[str, Any]]:
    """The task that replaces the table of a model."""

    def build() -> dict[str, Any]:
        statement = REFERENCE.sub(r'"\1"', query)
        print(statement)
        with closing(sqlite3.connect(DATABASE)) as database, database:
            try:
                database.execute(f'drop table if exists "{model}"')
                database.execute(f'create table "{model}" as {statement}')
            except sqlite3.OperationalError as wrong:
                # Trying again does not make a query right.
                raise TerminalError(f"{model}: {wrong}") from wrong
            (rows,) = database.execute(f'select count(*) from "{model}"').fetchone()
        return {"table": model, "rows": rows}

    return build


for file in sorted(FOLDER.glob("models/*.sql")):
    text = file.read_text().strip().rstrip(";")
    upstream = [f"models.{name}" for name in dict.fromkeys(REFERENCE.findall(text))]
    server.task(name=f"models.{file.stem}", upstream=upstream)(body_of(file.stem, text))
