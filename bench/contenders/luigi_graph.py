"""Luigi: its local scheduler with one worker; completed tasks are kept in memory."""

import itertools
import logging

import luigi
from turns import graph_of_arguments, report

graph, turns = graph_of_arguments()
logging.getLogger("luigi").setLevel(logging.CRITICAL)
done: set[tuple[int, str]] = set()
numbers = itertools.count()


class Node(luigi.Task):
    name = luigi.Parameter()
    turn = luigi.IntParameter()

    def requires(self) -> list["Node"]:
        return [Node(name=upstream, turn=self.turn) for upstream in graph[self.name]]

    def run(self) -> None:
        done.add((self.turn, self.name))

    def complete(self) -> bool:
        return (self.turn, self.name) in done


def run_graph() -> None:
    root = Node(name=next(reversed(graph)), turn=next(numbers))
    assert luigi.build([root], local_scheduler=True, workers=1, log_level="CRITICAL")


if __name__ == "__main__":
    report("luigi", run_graph, turns)
