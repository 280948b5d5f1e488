"""cordyna: the engine of `dyna dev`, two servers whose bodies run in processes, with SQLite."""

import sys
import tempfile
from pathlib import Path

from turns import graph_of_arguments, report

sys.path.append(str(Path(__file__).parents[1]))
from cerebro.embedded.storage.home import DiskHome
from embedded import cordyna, cordyna_specs

if __name__ == "__main__":
    graph, turns = graph_of_arguments()
    with tempfile.TemporaryDirectory() as folder:
        home, specs = DiskHome(Path(folder) / "home"), cordyna_specs(graph, Path(folder))
        with cordyna(graph, home, specs) as turn:
            report("cordyna-cerebro", turn, turns)
