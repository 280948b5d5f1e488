"""The local cloud: cordyna as it is deployed to AWS, in an emulator on this machine.

    python infra/local_cloud/cloud.py start [--unmended]     start the emulator, or go on with the one that runs; deploy; write the profile
    python infra/local_cloud/cloud.py stop                   end it, by its process id

Law: what is deployed is what `cdk synth` makes, by the ordinary `cdk deploy`. Nothing is written outside `.cloud/`, but dyna's profile.
Keys come from the environment, as everywhere; for an emulator any will do.
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
"""Where a cloud keeps what is its own; with GATEWAY_PORT and XDG_CONFIG_HOME, a second one stands beside the first."""

EMULATOR: Final = ROOT / ".cloud" / "venv" / "bin" / "python"
PID: Final = HERE / "ministack.pid"
ASSEMBLY: Final = HERE / "cdk.out"
REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"

_READY_WITHIN_S: Final = 30
_ENDED_WITHIN_S: Final = 15
_SHOWN_LINES: Final = 60


def endpoint() -> str:
    """Where the emulator is: here, on port 4566 or GATEWAY_PORT; or where CORDYNA_CLOUD_ENDPOINT_URL says that one runs."""
    return (
        os.environ.get("CORDYNA_CLOUD_ENDPOINT_URL")
        or f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}"
    )


def environment() -> dict[str, str]:
    """What the AWS tools are told."""
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


def start(*, mended: bool) -> None:
    """Everything, from nothing or from what runs already."""
    if not is_ready():
        start_emulator(mended=mended)
    synthesize()
    # With the assembly as the app, it does not synthesize again.
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


def start_emulator(*, mended: bool) -> None:
    """Raises TimeoutError when it does not get ready; its log is `.cloud/ministack.log`."""
    command = (
        [str(EMULATOR), str(ROOT / "infra" / "local_cloud" / "mended.py")]
        if mended
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
    # A copy of the code for each process that there was: some gigabytes after a week. What tasks wrote beside them stays.
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
    end = time.monotonic() + _READY_WITHIN_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"the emulator is not ready: see {HERE / 'ministack.log'}")
        time.sleep(0.1)


def is_ready() -> bool:
    """Whether an emulator answers."""
    try:
        with urllib.request.urlopen(f"{endpoint()}/_ministack/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def synthesize() -> None:
    """The same app, for this machine's processor and the emulator's Python, without what the emulator refuses."""
    here = context()
    build = [sys.executable, str(ROOT / "infra" / "build_assets.py")]
    build += ["--architecture", here["architecture"], "--runtime", here["runtime"]]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    cdk("synth", "--quiet", "--output", str(ASSEMBLY), *options_of(here))


def context() -> dict[str, str]:
    """What an app is told that is synthesized for this cloud."""
    asked = [str(EMULATOR), "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
    return {
        "stage": "local",
        "architecture": {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64"),
        "runtime": subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip(),
        "leave-out": "scaling,archive,metric-math",
        "image": "cordyna/task-server-c:local",
    }


def options_of(told: Mapping[str, str]) -> list[str]:
    """The same for the CDK's command line."""
    return [
        word for name, value in told.items() for word in ("--context", f"cordyna:{name}={value}")
    ]


def cdk(*arguments: str) -> None:
    """Run the CDK's command line; what it says is shown only when it fails."""
    command = [str(ROOT / "node_modules" / ".bin" / "cdk"), *arguments, "--no-notices", "--ci"]
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write("\n".join((done.stdout + done.stderr).splitlines()[-_SHOWN_LINES:]) + "\n")
        raise SystemExit(f"error: cdk {arguments[0]} failed")


def warm() -> None:
    """Start every function's process. The first run would start them one after another, for longer than a server has to answer."""
    told = environment()
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint(),
        region_name=REGION,
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
    )
    functions = [
        each["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for each in page["Functions"]
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for function in functions:
            if "CustomResource" not in function:
                # A batch of nothing, which a door takes for nothing that it hears.
                pool.submit(
                    client.invoke,
                    FunctionName=function,
                    Payload=json.dumps({"Records": []}).encode(),
                )


def write_profile() -> Path:
    """dyna's profile `local`: where cordyna is, and no keys."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "cordyna"
    config.mkdir(parents=True, exist_ok=True)
    settings = {"endpoint_url": endpoint(), "region": REGION, "bus": "cordyna"}
    file = config / "local.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return file


def stop() -> None:
    """End the emulator that `start` started: SIGTERM, which also ends its workers."""
    if not PID.is_file():
        say("no local cloud was started here")
        return
    pid = int(PID.read_text())
    end = time.monotonic() + _ENDED_WITHIN_S
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < end:
            os.kill(pid, 0)
            time.sleep(0.1)
    except ProcessLookupError:
        PID.unlink()
        say("the local cloud is stopped")
        return
    raise SystemExit(f"error: the emulator (process {pid}) does not end")


def say(line: str) -> None:
    """For the person at the terminal."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Start or stop."""
    parser = argparse.ArgumentParser(description="cordyna in an emulator of AWS on this machine")
    parser.add_argument("do", choices=["start", "stop"])
    parser.add_argument(
        "--unmended",
        action="store_true",
        help="the emulator as it is, without infra/local_cloud/mended.py",
    )
    given = parser.parse_args()
    if given.do == "stop":
        stop()
    else:
        start(mended=not given.unmended)


if __name__ == "__main__":
    main()
