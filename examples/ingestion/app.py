"""A CDK app: the task server, and a rule that invokes its task for each event `Uploaded`."""

from pathlib import Path

from aws_cdk import App, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from cordyna_cdk import TaskServer
from cordyna_cdk.permissions import put_events_statement

HERE = Path(__file__).parent
SOURCE = "cordyna.client.ingest"


class Ingestion(Stack):
    """A server, and what invokes its task."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "cordyna-example-ingestion")
        server = TaskServer(self, "Server", code=HERE / "server", server="ingest_server:server")
        undelivered = sqs.Queue(self, "Undelivered", enforce_ssl=True)
        runtime = self.node.try_get_context("cordyna:runtime") or "python3.13"
        invoke = lambda_.Function(
            self,
            "Invoke",
            code=lambda_.Code.from_asset(str(HERE / "invoke")),
            handler="invoke.handler",
            runtime=lambda_.Runtime(runtime, lambda_.RuntimeFamily.PYTHON),
            timeout=Duration.seconds(10),
            environment={"BUS": server.bus.event_bus_name},
            dead_letter_queue=undelivered,
        )
        invoke.add_to_role_policy(
            put_events_statement(server.bus.event_bus_arn, [SOURCE], ["InvokeTask"])
        )
        rule = events.Rule(
            self,
            "Uploaded",
            event_pattern=events.EventPattern(source=["shop.uploads"], detail_type=["Uploaded"]),
        )
        detail = {
            "task": "ingest.object",
            "params": {"object": events.EventField.from_path("$.detail.object")},
            "key": events.EventField.event_id,
        }
        rule.add_target(
            targets.LambdaFunction(invoke, event=events.RuleTargetInput.from_object(detail))
        )


app = App()
Ingestion(app)
app.synth()
