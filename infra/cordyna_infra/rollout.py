"""Rollout: shift traffic to new versions of cerebro's functions, by the context `cordyna:shift`.

Without it a deployment replaces each function at once. With it, such as
`LINEAR_10_PERCENT_EVERY_1_MINUTE`, every function that a queue feeds, and the query function, has
an alias `live`; AWS CodeDeploy moves its traffic step by step, and an alarm on the alias's errors
moves it back.

Both versions run side by side meanwhile, which needs no care: stored formats and internal messages
of neighbouring versions are compatible (docs/upgrading.md).
"""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cordyna_cdk.acknowledged_findings import acknowledge

ALIAS = "live"

_FINDINGS: Final = {
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AWSCodeDeployRoleForLambdaLimited]": (
        "The policy of AWS CodeDeploy for its own role, limited to Lambda and alarms."
    )
}


class Rollout(Construct):
    """Aliases of the functions, with a deployment group for each."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.Function],
        config: codedeploy.ILambdaDeploymentConfig,
        prefix: str,
    ) -> None:
        super().__init__(scope, construct_id)
        application = codedeploy.LambdaApplication(
            self, "Application", application_name=f"{prefix}-functions"
        )
        self.aliases: dict[str, lambda_.Alias] = {}
        for name, function in functions.items():
            alias = lambda_.Alias(
                self, name.capitalize(), alias_name=ALIAS, version=function.current_version
            )
            failing = cloudwatch.Alarm(
                self,
                f"{name.capitalize()}Failing",
                metric=alias.metric_errors(period=Duration.minutes(1)),
                threshold=1,
                evaluation_periods=1,
                alarm_description=f"A new version of the {name} fails: its rollout is undone.",
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            group = codedeploy.LambdaDeploymentGroup(
                self,
                f"{name.capitalize()}Group",
                alias=alias,
                application=application,
                deployment_config=config,
                alarms=[failing],
            )
            acknowledge(group, _FINDINGS)
            self.aliases[name] = alias


def shift_config(scope: Construct) -> codedeploy.ILambdaDeploymentConfig | None:
    """Return how traffic is shifted; None without the context.

    Raises ValueError for an unknown name.
    """
    name = scope.node.try_get_context("cordyna:shift")
    if not name:
        return None
    config = getattr(codedeploy.LambdaDeploymentConfig, str(name), None)
    if config is None:
        raise ValueError(
            f"cordyna:shift is {name!r}: it must be a predefined configuration of AWS CodeDeploy, "
            "such as LINEAR_10_PERCENT_EVERY_1_MINUTE or CANARY_10_PERCENT_5_MINUTES"
        )
    configured: codedeploy.ILambdaDeploymentConfig = config
    return configured
