"""Teams with accounts of their own: what the policy of the bus lets each account publish."""

from typing import Any

from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from cordyna_core.contract.registry import Sender, sent_by
from cordyna_infra.bus import StageBus
from cordyna_infra.stage import STAGES
from infra.templates import listed

SALES, STOCK = "111122223333", "444455556666"
GUESTS = {
    SALES: ["cordyna.server.sales", "cordyna.client.sales"],
    STOCK: ["cordyna.server.stock"],
}


def statements() -> dict[str, dict[str, Any]]:
    """The statements of the policy of a bus with two guests, by their names."""
    stack = Stack(App(), "Stack")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    StageBus(stack, "Bus", stage=STAGES["staging"]).restrict(cerebro=[role], guests=GUESTS)
    (bus,) = Template.from_stack(stack).find_resources("AWS::Events::EventBus").values()
    return {one["Sid"]: one for one in bus["Properties"]["Policy"]["Statement"]}


def test_each_guest_is_admitted_and_bound() -> None:
    by_name = statements()
    assert set(by_name) == {"OnlyCerebro"} | {
        f"{what}{guest}" for what in ("Admit", "Bind") for guest in GUESTS
    }
    for guest, sources in GUESTS.items():
        admitted, bound = by_name[f"Admit{guest}"], by_name[f"Bind{guest}"]
        assert (admitted["Effect"], bound["Effect"]) == ("Allow", "Deny")
        assert guest in str(admitted["Principal"])
        assert listed(admitted["Condition"]["StringEquals"]["events:source"]) == sorted(sources)
        # Whatever policies other accounts have, nothing but the guest uses its sources.
        assert bound["Principal"] == {"AWS": "*"}
        assert listed(bound["Condition"]["StringEquals"]["events:source"]) == sorted(sources)
        assert bound["Condition"]["StringNotEquals"] == {"aws:PrincipalAccount": guest}
        for statement in (admitted, bound):
            assert statement["Action"] == "events:PutEvents"


def test_guest_sends_what_its_sources_may_send() -> None:
    by_name = statements()
    of_servers, of_clients = set(sent_by(Sender.SERVER)), set(sent_by(Sender.CLIENT))
    for guest, types in ((SALES, of_servers | of_clients), (STOCK, of_servers)):
        condition = by_name[f"Admit{guest}"]["Condition"]["StringEquals"]
        assert condition["events:detail-type"] == sorted(types)
