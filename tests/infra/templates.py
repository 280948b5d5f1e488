"""Access to synthesized CloudFormation templates."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Properties = dict[str, Any]
Statement = dict[str, Any]

HERE = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "111122223333"}


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's template."""

    name: str
    content: dict[str, Any]

    def all(self, kind: str) -> dict[str, Properties]:
        """The properties of every resource of a kind, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.content["Resources"].items()
            if resource["Type"] == kind
        }

    def one(self, kind: str) -> Properties:
        """The properties of the only resource of a kind."""
        (properties,) = self.all(kind).values()
        return properties

    def statements(self) -> Iterator[tuple[str, Statement]]:
        """Every statement of every identity policy, with its stack and logical id."""
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for name, policy in self.all(kind).items():
                yield from (
                    (f"{self.name}/{name}", statement)
                    for statement in policy["PolicyDocument"]["Statement"]
                )
        for name, role in self.all("AWS::IAM::Role").items():
            for policy in role.get("Policies", []):
                yield from (
                    (f"{self.name}/{name}", statement)
                    for statement in policy["PolicyDocument"]["Statement"]
                )

    def statements_of(self, role: str) -> list[Statement]:
        """The statements of the role whose logical id begins with `role`."""
        return [
            statement
            for policy in self.all("AWS::IAM::Policy").values()
            if any(str(attached.get("Ref", "")).startswith(role) for attached in policy["Roles"])
            for statement in policy["PolicyDocument"]["Statement"]
        ]


def templates_in(folder: Path) -> dict[str, Template]:
    """The templates by stack name without the bus: `cerebro`, `task-server-a`, ..."""
    files = sorted(folder.glob("*.template.json"))
    names = [file.name.removesuffix(".template.json").removeprefix("cordyna-") for file in files]
    return {
        name: Template(name, json.loads(file.read_text()))
        for name, file in zip(names, files, strict=True)
    }


def listed(value: Any) -> list[Any]:
    """The value as a list: IAM writes a single one without brackets."""
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """A value with its intrinsic functions resolved or written as `<LogicalId.Attribute>`."""
    match value:
        case str():
            text = value
        case {"Ref": "AWS::Partition" | "AWS::Region" | "AWS::AccountId" as name}:
            text = HERE[name]
        case (
            {"Ref": name} | {"Fn::ImportValue": {"Fn::Sub": name}} | {"Fn::ImportValue": str(name)}
        ):
            text = f"<{name}>"
        case {"Fn::Select": [index, {"Fn::Split": [_, text_list]}]}:
            text = f"<part {index} of {text_of(text_list)}>"
        case {"Fn::GetAtt": [name, attribute]}:
            text = f"<{name}.{attribute}>"
        case {"Fn::Sub": str(template)}:
            text = re.sub(r"\$\{([^}]+)\}", lambda name: HERE[name[1]], template)
        case {"Fn::Join": [between, parts]}:
            text = str(between).join(map(text_of, parts))
        case _:
            raise TypeError(f"unknown: {value!r}")
    return text
