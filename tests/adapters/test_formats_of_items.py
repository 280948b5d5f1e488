"""Formats: items of the recorded format are read, additions are tolerated, newer ones refused.

`golden/format_2.json` was recorded when the format was made. It is never changed: a later version
that cannot read it would strand the runs of a deployment.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any, Final

import pytest

from cerebro.adapters.codecs import (
    FORMAT,
    OtherFormat,
    decode_cached_result,
    decode_declaration,
    decode_plan,
    decode_run,
    decode_task,
)
from cerebro.adapters.internal_codec import decode_internal
from cerebro.core.graph.graph import Graph
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer, Tick
from cerebro.core.model.plan import CachedResult
from cerebro.core.model.task_run import Rank
from cerebro.testing.examples import NOW, RUN, a_full_fact
from cordyna_core.contract.declaration import CONTRACTS, ServerDeclared

GOLDEN: Final[dict[str, str]] = json.loads(
    (Path(__file__).parent / "golden" / "format_2.json").read_text()
)
INTERNAL: Final = {
    "page timer": PageTimer(RUN, 2, NOW),
    "fan-out": FanOut(RUN, 7, 250, "cause", repair=True),
    "overdue check": OverdueCheck(RUN, 2, NOW, NOW + 1, turn=1, start=25),
    "tick": Tick("z", NOW),
}


def plan_blob(content: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(content).encode())


def golden_plan() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(GOLDEN["plan"])))
    return content


def test_golden_task_run_is_read() -> None:
    assert decode_task(GOLDEN["task"]) == a_full_fact()


def test_golden_run_is_read() -> None:
    run = decode_run(GOLDEN["run"])
    assert (run.id, run.status, run.rev, run.commands) == (RUN, "error", 3, ("r1",))
    assert (run.reruns, run.source, run.params) == (1, "cordyna.client", {"day": "today"})


def test_golden_result_is_read() -> None:
    assert decode_cached_result(GOLDEN["result"]) == CachedResult(
        RUN, 3, NOW, None, "REF", "made from"
    )


def test_golden_plan_is_read() -> None:
    plan = decode_plan(base64.b64decode(GOLDEN["plan"]))
    root, join, reused, target = plan.tasks
    assert (root.name, root.params, root.kept) == ("a", ("day",), True)
    assert (join.is_join, join.awaits) == (True, (0,))
    assert reused.reuses == CachedResult(RUN, 3, NOW, {"rows": 1}, "REF", "made from")
    assert (target.retries, target.owner, target.awaits) == (2, "team", (1,))


@pytest.mark.parametrize("name", INTERNAL)
def test_golden_internal_message_is_read(name: str) -> None:
    assert decode_internal(GOLDEN[name]) == INTERNAL[name]


def test_added_fields_of_a_task_run_are_ignored() -> None:
    values = json.loads(GOLDEN["task"])
    values[11] = [[*entry, "added"] for entry in values[11]]
    assert decode_task(json.dumps([*values, None, "added"])) == a_full_fact()


def test_added_and_missing_fields_of_a_run_are_tolerated() -> None:
    values = json.loads(GOLDEN["run"])
    del values["reruns"], values["traceparent"], values["commands"]
    run = decode_run(json.dumps({**values, "added": 1}))
    assert (run.reruns, run.traceparent, run.commands) == (0, None, ())


def test_added_fields_of_a_result_are_ignored() -> None:
    values = [*json.loads(GOLDEN["result"]), "added"]
    assert decode_cached_result(json.dumps(values)).output_ref == "REF"


def test_added_and_missing_fields_of_a_plan_are_tolerated() -> None:
    content = golden_plan()
    names = content["fields"]
    kept = names.index("kept")
    changed = {
        "format": FORMAT,
        "fields": [*names[:kept], *names[kept + 1 :], "added"],
        "tasks": [[*row[:kept], *row[kept + 1 :], "value"] for row in content["tasks"]],
    }
    root = decode_plan(plan_blob(changed)).tasks[0]
    assert (root.name, root.kept) == ("a", False)


def test_added_fields_of_a_reused_result_are_ignored() -> None:
    content = golden_plan()
    column = content["fields"].index("reuses")
    for row in content["tasks"]:
        row[column] = row[column] and [*row[column], "added"]
    expected = decode_plan(base64.b64decode(GOLDEN["plan"])).tasks[2].reuses
    assert expected is not None
    assert decode_plan(plan_blob(content)).tasks[2].reuses == expected


@pytest.mark.parametrize("name", ["page timer", "fan-out", "overdue check"])
def test_added_fields_of_an_internal_message_are_ignored(name: str) -> None:
    ((kind, fields),) = json.loads(GOLDEN[name]).items()
    assert (
        decode_internal(json.dumps({kind: {**fields, "added": 1}}, separators=(",", ":")))
        == (INTERNAL[name])
    )


def test_missing_fields_of_an_internal_message_take_defaults() -> None:
    fields = {"run_id": RUN, "page": 2, "asked_at": NOW, "sent_at": NOW}
    assert decode_internal(f'{{"overdue":{json.dumps(fields)}}}') == OverdueCheck(RUN, 2, NOW, NOW)


def test_newer_items_are_refused_by_their_format() -> None:
    newer = FORMAT + 1
    with pytest.raises(OtherFormat, match=f"task run has format {newer}"):
        decode_task(json.dumps([str(newer), *json.loads(GOLDEN["task"])[1:]]))
    with pytest.raises(OtherFormat, match=f"run has format {newer}"):
        decode_run(json.dumps({**json.loads(GOLDEN["run"]), "format": newer}))
    with pytest.raises(OtherFormat, match=f"result has format {newer}"):
        decode_cached_result(json.dumps([str(newer), *json.loads(GOLDEN["result"])[1:]]))
    with pytest.raises(OtherFormat, match=f"plan has format {newer}"):
        decode_plan(plan_blob({**golden_plan(), "format": newer}))


def test_older_items_are_refused_as_older() -> None:
    for decode, old in (
        (decode_task, json.dumps([1, 3, None])),
        (decode_run, json.dumps({"id": RUN})),
        (decode_cached_result, json.dumps([RUN, 3, NOW])),
    ):
        with pytest.raises(OtherFormat, match="older than 2"):
            decode(old)
    with pytest.raises(OtherFormat, match="older than 2"):
        decode_plan(zlib.compress(b"[[]]"))


@pytest.mark.parametrize(
    "body",
    [
        f'{{"ring":{{"run_id":"{RUN}","page":1,"due":1.0,"format":{FORMAT + 1}}}}}',
        f'{{"gate":{{"pool":"db","format":{FORMAT + 1}}}}}',
    ],
    ids=["known kind", "unknown kind"],
)
def test_newer_internal_message_is_refused_not_malformed(body: str) -> None:
    with pytest.raises(OtherFormat, match="newer version"):
        decode_internal(body)


@pytest.mark.parametrize("body", ['{"a":1}', '{"a":{}}', '{"a":', '{"a":{},"b":{}}'])
def test_other_text_is_no_internal_message(body: str) -> None:
    assert decode_internal(body) is None


def test_added_fields_of_an_accepted_declaration_are_ignored() -> None:
    text = json.dumps(
        {
            "server": "s",
            "added": 1,
            "tasks": [
                {"name": "a", "pool": "db"},
                {"name": "b", "upstream": ["a", {"task": "c", "within_s": 5, "added": 2}]},
            ],
        }
    )
    declared = decode_declaration(text)
    assert declared == ServerDeclared.model_validate(
        {
            "server": "s",
            "tasks": [
                {"name": "a"},
                {"name": "b", "upstream": ["a", {"task": "c", "within_s": 5}]},
            ],
        }
    )


def test_declaration_of_a_newer_contract_keeps_its_known_fields() -> None:
    task = {"name": "a", "consumers": ["t"], "due": "2h", "cron": "0 6 * * *"}
    text = json.dumps({"server": "s", "contract": "99", "added": 1, "tasks": [task]})
    newest = ServerDeclared.model_validate(
        {"server": "s", "contract": CONTRACTS[-1], "tasks": [task]}
    )
    assert decode_declaration(text) == newest


def test_graph_keeps_the_stored_version_of_a_declaration() -> None:
    """A version that drops a field must not rename what is accepted."""
    declared = decode_declaration('{"server": "s", "tasks": [{"name": "a", "pool": "db"}]}')
    graph = Graph.of({}).with_servers({"s": declared}, 3, {"s": "the stored version"})
    assert graph.head.servers == {"s": "the stored version"}
    again = graph.with_servers({"s": declared})
    assert again.head.servers == {"s": "the stored version"}


def test_every_rank_has_a_stored_number() -> None:
    assert {rank.name: rank.value for rank in Rank} == {
        "WAITING": -20,
        "PENDING": 0,
        "ACK_TIMEOUT": 5,
        "QUEUED": 10,
        "START_TIMEOUT": 15,
        "STARTED": 20,
        "RUN_TIMEOUT": 25,
        "ERROR": 30,
        "COMPLETED": 40,
        "CANCELLED": 50,
    }
