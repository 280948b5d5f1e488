"""Dagster: a job of ops, executed in this process, with its event log on SQLite."""

from dagster import (
    DagsterInstance,
    DependencyDefinition,
    GraphDefinition,
    In,
    MultiDependencyDefinition,
    Nothing,
    OpDefinition,
    Out,
    op,
)
from turns import graph_of_arguments, report

graph, turns = graph_of_arguments()


def op_of(name: str, upstream: list[str]) -> OpDefinition:
    ins = {"start": In(Nothing)} if upstream else {}

    @op(name=name, ins=ins, out=Out(Nothing))
    def body() -> None:
        pass

    return body


job = GraphDefinition(
    name="bench",
    node_defs=[op_of(name, upstream) for name, upstream in graph.items()],
    dependencies={
        name: {"start": MultiDependencyDefinition([DependencyDefinition(one) for one in upstream])}
        for name, upstream in graph.items()
        if upstream
    },
).to_job()


def run_graph() -> None:
    assert job.execute_in_process(instance=instance).success


if __name__ == "__main__":
    with DagsterInstance.local_temp() as instance:
        report("dagster", run_graph, turns)
