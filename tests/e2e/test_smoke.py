"""The smoke test for real accounts, against the local cloud."""

import subprocess
import sys

from e2e.cloud import ROOT, Cloud


def test_smoke_test_passes_on_the_local_cloud(cloud: Cloud) -> None:
    environment = {
        name: value for name, value in cloud.environment.items() if name != "AWS_ENDPOINT_URL"
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "infra" / "smoke.py"), "local"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
