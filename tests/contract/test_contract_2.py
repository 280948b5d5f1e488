"""Contract 2: named only where it is used, and refused clearly by who does not read it."""

import json

import pytest
from pydantic import ValidationError

from cerebro.adapters.codecs import decode_declaration
from cerebro.core.validation.parse_declaration import parse_declaration
from cordyna_core import TaskServer
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration, contract_of
from cordyna_core.contract.envelope import detail_json


def test_declaration_without_new_fields_is_byte_identical() -> None:
    server = TaskServer("a", owner="team-a", revision=3)

    @server.task(cron="0 6 * * *", retries=2, run_timeout_s="2h")
    def load(day: str = "today") -> None:
        del day

    assert server.declaration.model_dump_json(exclude_defaults=True) == (
        '{"server":"a","revision":3,"tasks":[{"name":"load","cron":"0 6 * * *","retries":2,'
        '"run_timeout_s":7200,"owner":"team-a","params_schema":{"additionalProperties":false,'
        '"properties":{"day":{"default":"today","type":"string"}},"type":"object"}}]}'
    )
    assert server.declaration.contract == "1"


@pytest.mark.parametrize(
    "fields",
    [
        {"consumers": []},
        {"invokers": ["b"]},
        {"deprecated": "use orders-v2"},
        {"deprecated": "use orders-v2", "until": "2027-03-01"},
        {"cron": "0 6 * * *", "due": "07:00"},
    ],
    ids="+".join,
)
def test_declaration_with_a_new_field_needs_contract_2(fields: dict[str, object]) -> None:
    task = TaskDeclaration.model_validate({"name": "x", **fields})
    assert contract_of([TaskDeclaration(name="w"), task]) == "2"


def test_new_field_with_its_default_stays_in_contract_1() -> None:
    task = TaskDeclaration.model_validate({"name": "x", "consumers": None, "deprecated": None})
    assert contract_of([task]) == "1"


def test_unknown_contract_is_the_only_problem() -> None:
    detail = {"server": "a", "contract": "3", "tasks": [{"name": "x", "novelty": 1}]}
    parsed = parse_declaration(detail)

    assert isinstance(parsed, tuple)
    (problem,) = parsed
    assert problem.code == "unknown_contract"
    assert problem.message == (
        'contract: the server uses contract "3", and this cerebro reads "1" and "2": '
        "deploy cerebro first, then declare again"
    )


def test_contract_that_is_no_text_is_refused() -> None:
    parsed = parse_declaration({"server": "a", "contract": 2})
    assert isinstance(parsed, tuple)
    assert [problem.code for problem in parsed] == ["unknown_contract"]


def test_accepted_declaration_of_a_newer_contract_is_decoded() -> None:
    stored = {"server": "a", "contract": "3", "tasks": [{"name": "x", "novelty": 1}]}
    declared = decode_declaration(json.dumps(stored))

    assert declared == ServerDeclared(server="a", contract="2", tasks=[TaskDeclaration(name="x")])


def test_strict_without_expects_is_refused_in_its_place() -> None:
    upstream = [{"task": "y", "strict": True}]
    parsed = parse_declaration({"server": "a", "tasks": [{"name": "x", "upstream": upstream}]})
    assert isinstance(parsed, tuple)
    assert [(problem.code, problem.message) for problem in parsed] == [
        (
            "bad_upstream",
            'task "x": upstream[0].strict: strict needs expects: say what the output shall be',
        )
    ]


def test_until_without_deprecated_is_refused() -> None:
    with pytest.raises(ValidationError, match="until needs deprecated"):
        TaskDeclaration.model_validate({"name": "x", "until": "2027-03-01"})


def test_contract_2_is_on_the_wire_only_where_it_is_used() -> None:
    plain = ServerDeclared(server="a", tasks=[TaskDeclaration(name="x")])
    closed = ServerDeclared(
        server="a", contract="2", tasks=[TaskDeclaration(name="x", consumers=[])]
    )

    assert "contract" not in json.loads(detail_json(plain))
    assert json.loads(detail_json(closed))["contract"] == "2"
