"""cordyna on AWS: the stacks of one stage.

    cdk synth                                     production, into cdk.out/
    cdk synth -c cordyna:stage=staging            another stage
    CDK_OUTDIR=cdk.out python infra/app.py        the same without Node

`infra/cordyna_infra/cerebro_stack.py` is cerebro; `servers.py` the task servers;
`operations_stack.py` alarms and dashboard; `console_stack.py` the hosted console, if it is wanted.
"""

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from cordyna_cdk.acknowledged_findings import acknowledge
from cordyna_infra.acknowledged_findings import CHOSEN_RUNTIME, acknowledge_findings
from cordyna_infra.asset_folders import AssetsMissingError
from cordyna_infra.cerebro_stack import CerebroStack
from cordyna_infra.console_stack import ConsoleStack, HostedSignIn
from cordyna_infra.contexts import ContextError, check_contexts
from cordyna_infra.network_stack import NetworkStack
from cordyna_infra.operations_stack import OperationsStack
from cordyna_infra.servers import TaskServerA, TaskServerB, TaskServerC
from cordyna_infra.stage import stage_from


def cordyna(app: App) -> App:
    """Add all stacks of the stage that the context names.

    Raises ContextError, and AssetsMissingError if the assets of the context are not built.
    """
    check_contexts(app)
    stage = stage_from(app)
    cerebro = CerebroStack(
        app, f"{stage.bus}-cerebro", stage=stage, description=f"cerebro, {stage.name}"
    )
    network = NetworkStack(app, f"{stage.bus}-network", stage=stage)
    servers = [
        TaskServerA(app, f"{stage.bus}-task-server-a", stage=stage),
        TaskServerB(app, f"{stage.bus}-task-server-b", stage=stage),
        TaskServerC(app, f"{stage.bus}-task-server-c", stage=stage),
    ]
    for server in servers:
        # They find cerebro by SSM parameters, which must exist the first time.
        server.add_stack_dependency(cerebro)
        server.add_stack_dependency(network)
    operations = OperationsStack(
        app,
        f"{stage.bus}-operations",
        stage=stage,
        servers=[stack.server for stack in servers],
    )
    operations.add_stack_dependency(cerebro)
    sign_in = HostedSignIn.of(app)
    if sign_in is not None:
        console = ConsoleStack(app, f"{stage.bus}-console", stage=stage, sign_in=sign_in)
        console.add_stack_dependency(cerebro)
    acknowledge_findings(cerebro)
    if app.node.try_get_context("cordyna:runtime"):
        acknowledge(app, CHOSEN_RUNTIME)
    return app


if __name__ == "__main__":
    try:
        app = cordyna(App())
    except (ContextError, AssetsMissingError) as error:
        raise SystemExit(f"error: {error}") from None
    # The local cloud is not a deployment to check.
    if stage_from(app).name != "local":
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
