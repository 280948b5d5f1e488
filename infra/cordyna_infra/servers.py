"""The task servers of this repository, each in a stack of its own, as a team would write it.

One of each kind: task-server-a is a Lambda that each command invokes; task-server-b has a work
queue and runs at most ten bodies at a time; task-server-c is a container that scales from zero.
"""

from aws_cdk import Stack, Tags
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cordyna_cdk import TaskServer
from cordyna_cdk.container import Container
from cordyna_infra.asset_folders import FUNCTIONS
from cordyna_infra.stage import Stage


class ServerStack(Stack):
    """A stack with one task server, `server`."""

    server: TaskServer

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, description: str
    ) -> None:
        super().__init__(scope, construct_id, description=description)
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", construct_id)


class TaskServerA(ServerStack):
    """Team a: short tasks, each started at once."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope, construct_id, stage=stage, description="team-a's task server, a Lambda"
        )
        self.server = TaskServer(
            self,
            "Server",
            code=FUNCTIONS / "task_server_a" / "src",
            server="task_server_a.server:server",
            max_concurrency="unlimited",
            log_retention=stage.log_retention,
        )


class TaskServerB(ServerStack):
    """Team b: at most ten bodies run at a time."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            stage=stage,
            description="team-b's task server, a Lambda with a work queue",
        )
        self.server = TaskServer(
            self,
            "Server",
            code=FUNCTIONS / "task_server_b" / "src",
            server="task_server_b.server:server",
            max_concurrency=10,
            log_retention=stage.log_retention,
        )


class TaskServerC(ServerStack):
    """Team c: bodies that may take longer than a Lambda runs."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            stage=stage,
            description="team-c's task server, a container that scales to zero",
        )
        # An emulator builds no images: the container runs as an ordinary process, the image is a
        # name.
        image_name = self.node.try_get_context("cordyna:image")
        image = ecs.ContainerImage.from_registry(image_name) if image_name else None
        self.server = TaskServer(
            self,
            "Server",
            code=FUNCTIONS / "task_server_c",
            server="archive:server",
            container=Container(workers=4, max_instances=2, image=image),
            log_retention=stage.log_retention,
        )
