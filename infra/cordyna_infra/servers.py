"""The task servers of this repository, each in a stack of its own, as a team would write it.

One of each kind: task-server-a is a Lambda that each command invokes; task-server-b stands behind a door, at most ten bodies at a time;
task-server-c is a container, asleep until something is behind its door.
"""

from aws_cdk import Stack, Tags
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cordyna_cdk import TaskServer
from cordyna_cdk.container import Container
from cordyna_infra.folders import FUNCTIONS
from cordyna_infra.stage import Stage


class ServerStack(Stack):
    """A stack with one task server in it, `server`."""

    server: TaskServer

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, description: str
    ) -> None:
        super().__init__(scope, construct_id, description=description)
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", construct_id)


class TaskServerA(ServerStack):
    """Team a's: short tasks, each started at once."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope, construct_id, stage=stage, description="team-a's task server, a Lambda"
        )
        self.server = TaskServer(
            self,
            "Server",
            code=FUNCTIONS / "task_server_a" / "src",
            server="task_server_a.server:server",
        )


class TaskServerB(ServerStack):
    """Team b's: however many commands come at once, ten bodies run."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            stage=stage,
            description="team-b's task server, a Lambda behind a door",
        )
        self.server = TaskServer(
            self,
            "Server",
            code=FUNCTIONS / "task_server_b" / "src",
            server="task_server_b.server:server",
            max_concurrency=10,
        )


class TaskServerC(ServerStack):
    """Team c's: bodies that may take longer than a Lambda lives."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            stage=stage,
            description="team-c's task server, a container that sleeps when idle",
        )
        # An emulator builds no images: there the container is an ordinary process, and the image only a name.
        named = self.node.try_get_context("cordyna:image")
        image = ecs.ContainerImage.from_registry(named) if named else None
        self.server = TaskServer(
            self,
            "Server",
            code=FUNCTIONS / "task_server_c",
            server="archive:server",
            container=Container(workers=4, at_most=2, image=image),
        )
