"""The CDK app of another team: one stack with one task server. `cordyna:code` is the folder that holds it."""

from aws_cdk import App, Stack

from cordyna_cdk import TaskServer

app = App()
stack = Stack(app, "task-server-e2e")
TaskServer(stack, "Server", code=app.node.get_context("cordyna:code"), server="e2e_server:server")
app.synth()
