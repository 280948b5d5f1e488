"""The local cloud: cordyna as deployed to AWS, in an emulator on this machine.

    cloud.py start [--unpatched]   start or reuse the emulator; deploy; write the profile `local`
    cloud.py stop                  stop it, by its process id

Invariant: what is deployed is what `cdk synth` writes, by the ordinary `cdk deploy`. Nothing is
written outside `.cloud/` but dyna's profile. Keys come from the environment; an emulator accepts
any.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import boto3

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(os.environ.get("CORDYNA_CLOUD") or ROOT / ".cloud")
"""The folder of this cloud; a second one has its own GATEWAY_PORT and XDG_CONFIG_HOME."""

EMULATOR: Final = ROOT / ".cloud" / "venv" / "bin" / "python"
PID: Final = HERE / "ministack.pid"
ASSEMBLY: Final = HERE / "cdk.out"
REGION: Final = "us-east-1"
PROFILE_MARK: Final = "# Written by `make cloud`."
ACCOUNT: Final = "000000000000"

_START_TIMEOUT_S: Final = 30
_STOP_TIMEOUT_S: Final = 15
_SHOWN_LINES_MAX: Final = 60


def endpoint() -> str:
    """CORDYNA_CLOUD_ENDPOINT_URL, or this machine with port GATEWAY_PORT (default 4566)."""
    return (
        os.environ.get("CORDYNA_CLOUD_ENDPOINT_URL")
        or f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}"
    )


def environment() -> dict[str, str]:
    """The environment of the AWS tools."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint(),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    }


def start(*, patched: bool) -> None:
    """Start the emulator unless it runs, deploy, and write the profile."""
    say("deploying to an emulator on this machine: a minute or two if it has little else to do")
    if not is_ready():
        start_emulator(patched=patched)
    synthesize()
    # With the assembly as the app, the CDK does not synthesize again.
    cdk("bootstrap", "--app", str(ASSEMBLY), f"aws://{ACCOUNT}/{REGION}")
    cdk(
        "deploy",
        "--app",
        str(ASSEMBLY),
        "--all",
        "--require-approval",
        "never",
        "--concurrency",
        "2",
    )
    warm()
    profile = write_profile()
    say(f"the local cloud is up at {endpoint()}; profile `local` is {profile}")
    say("  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")
    say("  .venv/bin/dyna --profile local do task-3")


def start_emulator(*, patched: bool) -> None:
    """Start the emulator; its log is `.cloud/ministack.log`.

    Raises TimeoutError if it does not start.
    """
    command = (
        [str(EMULATOR), str(ROOT / "infra" / "local_cloud" / "patched_emulator.py")]
        if patched
        else [str(EMULATOR), "-m", "ministack"]
    )
    settings = {
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": endpoint().rpartition(":")[2],
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "false",
        "TMPDIR": str(HERE / "tmp"),
    }
    (HERE / "tmp").mkdir(parents=True, exist_ok=True)
    # Copies of the code of past processes: gigabytes after a week. Files of tasks are not touched.
    for left_over in (HERE / "tmp").glob("ministack-lambda-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    with (HERE / "ministack.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env={**environment(), **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=HERE,
            start_new_session=True,
        )
    PID.write_text(str(process.pid))
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(
                f"the emulator did not start within {_START_TIMEOUT_S} s: "
                f"see {HERE / 'ministack.log'}"
            )
        time.sleep(0.1)


def is_ready() -> bool:
    """Whether the emulator answers."""
    try:
        with urllib.request.urlopen(  # noqa: S310 (our own address)
            f"{endpoint()}/_ministack/health", timeout=1
        ) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def synthesize() -> None:
    """Synthesize the app for this machine's processor and the emulator's Python."""
    values = context()
    build = [sys.executable, str(ROOT / "infra" / "build_assets.py")]
    build += ["--architecture", values["architecture"], "--runtime", values["runtime"]]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    cdk("synth", "--quiet", "--output", str(ASSEMBLY), *options_of(values))


def context() -> dict[str, str]:
    """What an app is told that is synthesized for this cloud."""
    program = [str(EMULATOR), "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
    return {
        "stage": "local",
        "architecture": {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64"),
        "runtime": subprocess.run(
            program, capture_output=True, text=True, check=True
        ).stdout.strip(),
        "leave-out": "scaling,archive,metric-math",
        "image": "cordyna/task-server-c:local",
        # The emulator starts a process for every concurrent batch: more than the processor runs
        # only wait for it, until the functions time out.
        "max-concurrency": "registry=2,planner=2,tracker=3,timekeeper=2,incidents=2",
    }


def options_of(values: Mapping[str, str]) -> list[str]:
    """The context values as options of the CDK's command line."""
    return [
        word for name, value in values.items() for word in ("--context", f"cordyna:{name}={value}")
    ]


def cdk(*arguments: str) -> None:
    """Run the CDK's command line; its output is shown only if it fails. Raises SystemExit then."""
    command = [str(ROOT / "node_modules" / ".bin" / "cdk"), *arguments, "--no-notices", "--ci"]
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(
            "\n".join((done.stdout + done.stderr).splitlines()[-_SHOWN_LINES_MAX:]) + "\n"
        )
        raise SystemExit(f"error: cdk {arguments[0]} failed")


def warm() -> None:
    """Start the process of every function.

    Otherwise the first run starts them one after another, longer than a server has to acknowledge.
    """
    variables = environment()
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint(),
        region_name=REGION,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    functions = [
        function["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for function in functions:
            if "CustomResource" not in function:
                # An empty batch, which no function handles as a command.
                pool.submit(
                    client.invoke,
                    FunctionName=function,
                    Payload=json.dumps({"Records": []}).encode(),
                )


def write_profile() -> Path:
    """Write dyna's profile `local`: the address of cordyna, without keys."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "cordyna"
    config.mkdir(parents=True, exist_ok=True)
    settings = {"endpoint_url": endpoint(), "region": REGION, "bus": "cordyna"}
    file = config / "local.toml"
    if file.is_file() and not file.read_text().startswith(PROFILE_MARK):
        confirm_overwriting(file)
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    file.write_text(f"{PROFILE_MARK}\n{lines}")
    return file


def confirm_overwriting(file: Path) -> None:
    """Ask before replacing a profile that was not written here. Raises SystemExit if refused."""
    question = f"{file} was not written by `make cloud`. Replace it? [y/N] "
    if not sys.stdin.isatty() or input(question).strip().lower() != "y":
        raise SystemExit(
            f"error: {file} was not written by `make cloud`, so it was not replaced; "
            "next: move it away, then run `make cloud` again"
        )


def stop() -> None:
    """Stop the emulator that `start` started, by SIGTERM, which also stops its workers."""
    if not PID.is_file():
        say("no local cloud is running: none was started here")
        return
    pid = int(PID.read_text())
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.1)
    except ProcessLookupError:
        PID.unlink()
        say("the local cloud is stopped")
        return
    raise SystemExit(
        f"error: the emulator (process {pid}) did not stop within {_STOP_TIMEOUT_S} s; "
        f"next: kill -KILL {pid}"
    )


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="cordyna in an emulator of AWS on this machine")
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument(
        "--unpatched",
        action="store_true",
        help="the emulator without infra/local_cloud/patched_emulator.py",
    )
    arguments = parser.parse_args()
    if arguments.command == "stop":
        stop()
    else:
        start(patched=not arguments.unpatched)


if __name__ == "__main__":
    main()
