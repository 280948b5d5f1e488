"""Airflow: `dag.test()`, every task in this process, without its scheduler, with SQLite."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from turns import graph_of_arguments, report

HOME = Path(tempfile.mkdtemp())
DAGS = HOME / "dags"
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
}
DAG_FILE = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

GRAPH = {graph!r}


def body():
    pass


with DAG("bench", schedule=None) as dag:
    operators = {{name: PythonOperator(task_id=name, python_callable=body) for name in GRAPH}}
    for name, upstream in GRAPH.items():
        operators[name].set_upstream([operators[one] for one in upstream])
"""


def prepare(graph: dict[str, list[str]]) -> None:
    """Make a home with a database that has the graph."""
    DAGS.mkdir()
    (DAGS / "bench_dag.py").write_text(DAG_FILE.format(graph=graph))
    airflow = Path(sys.executable).with_name("airflow")
    for command in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run([airflow, *command], check=True, stdout=sys.stderr)


def run_graph() -> None:
    run = dag.test()
    assert run.state == "success", run.state


if __name__ == "__main__":
    graph, turns = graph_of_arguments()
    prepare(graph)
    sys.path.append(str(DAGS))
    from bench_dag import dag

    report("apache-airflow", run_graph, turns)
