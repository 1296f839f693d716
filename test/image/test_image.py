"""The built image, run as Bitbucket Pipelines runs a pipe, against the sandbox.

The command line is the one that Bitbucket prints in a step's log: volumes, working directory, label, the platform's
variables, the user's; no terminal, no `--user`, no `--rm`. Two things differ: the folders of the agent lie below this
clone (Bitbucket's own engine allows no other), and the network is the machine's, since the pipe sends a token over plain
http to loopback only.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IMAGE = os.environ["PIPE_IMAGE"]
BUILD = "/opt/atlassian/pipelines/agent/build"
TARGET = "/Workspace/Shared/image"
# What root of the pipe's container is outside of it, where Bitbucket's engine maps users.
REMAPPED = 165536

PLATFORM = {
    "BITBUCKET_STEP_TRIGGERER_UUID": "{c1b2d3e4-0000-4000-8000-000000000001}",
    "BITBUCKET_REPO_FULL_NAME": "acme/etl",
    "BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/acme/etl",
    "BITBUCKET_PROJECT_UUID": "{c1b2d3e4-0000-4000-8000-000000000002}",
    "BITBUCKET_REPO_IS_PRIVATE": "true",
    "BITBUCKET_WORKSPACE": "acme",
    "BITBUCKET_DEPLOYMENT_ENVIRONMENT": "production",
    "BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID": "{c1b2d3e4-0000-4000-8000-000000000003}",
    "BITBUCKET_SSH_KEY_FILE": "/opt/atlassian/pipelines/agent/ssh/id_rsa",
    "BITBUCKET_REPO_SLUG": "etl",
    "CI": "true",
    "BITBUCKET_REPO_OWNER": "acme",
    "BITBUCKET_REPO_OWNER_UUID": "{c1b2d3e4-0000-4000-8000-000000000004}",
    "BITBUCKET_STEP_RUN_NUMBER": "1",
    "BITBUCKET_BUILD_NUMBER": "42",
    "BITBUCKET_BRANCH": "main",
    "BITBUCKET_GIT_SSH_ORIGIN": "git@bitbucket.org:acme/etl.git",
    "BITBUCKET_PIPELINE_UUID": "{c1b2d3e4-0000-4000-8000-000000000005}",
    "BITBUCKET_PIPELINES_VARIABLES_PATH": "/opt/atlassian/pipelines/agent/tmp/pipeline-variables.env",
    "BITBUCKET_COMMIT": "3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d",
    "BITBUCKET_REPO_UUID": "{c1b2d3e4-0000-4000-8000-000000000006}",
    "BITBUCKET_CLONE_DIR": BUILD,
    "BITBUCKET_PROJECT_KEY": "DATA",
    "PIPELINES_JWT_TOKEN": "eyJhbGciOiJSUzI1NiJ9.cGlwZWxpbmVz.c2lnbmF0dXJlLW9mLWEtc3RlcA",
    "BITBUCKET_STEP_UUID": "{c1b2d3e4-0000-4000-8000-000000000007}",
    "BITBUCKET_DOCKER_HOST_INTERNAL": "10.39.145.17",
    "DOCKER_HOST": "tcp://host.docker.internal:2375",
}


class Step:
    """A step's folders, and the pipe run in them."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        (ROOT / "target").mkdir(exist_ok=True)
        self.agent = pathlib.Path(tempfile.mkdtemp(prefix="step.", dir=ROOT / "target"))
        self.build = self.agent / "build"
        shutil.copytree(ROOT / "examples/repository", self.build)
        pipes = ".bitbucket/pipelines/generated/pipeline/pipes"
        (self.build / pipes / "brickpipe/databricks-deploy").mkdir(parents=True)
        (self.agent / "ssh").mkdir()
        (self.agent / "ssh/id_rsa").write_text("not a key\n")
        (self.agent / "docker").write_text("not a client\n")
        self.volumes = [
            f"{self.build}:{BUILD}",
            f"{self.agent}/ssh:/opt/atlassian/pipelines/agent/ssh:ro",
            f"{self.agent}/docker:/usr/local/bin/docker:ro",
            f"{self.build}/{pipes}:{BUILD}/{pipes}",
            f"{self.build}/{pipes}/brickpipe/databricks-deploy:{BUILD}/{pipes}/brickpipe/databricks-deploy",
        ]
        self.storage = {
            "BITBUCKET_PIPE_STORAGE_DIR": f"{BUILD}/{pipes}/brickpipe/databricks-deploy",
            "BITBUCKET_PIPE_SHARED_STORAGE_DIR": f"{BUILD}/{pipes}",
        }
        self.containers = []

    def owned_by(self, user):
        """Gives the clone to another user, as a remapped engine sees it."""
        for folder, _, files in os.walk(self.build):
            for path in [folder, *(os.path.join(folder, name) for name in files)]:
                os.chown(path, user, user)

    def start(self, *options, **variables):
        """Starts the pipe and returns the container's name."""
        name = f"databricks-deploy-{os.getpid()}-{time.monotonic_ns()}"
        self.containers.append(name)
        defaults = {
            "DATABRICKS_HOST": self.sandbox.url,
            "DATABRICKS_TOKEN": self.sandbox.token,
            "WORKSPACE_PATH": TARGET,
            "NO_COLOR": "1",
        }
        environment = PLATFORM | self.storage | defaults | {key: str(value) for key, value in variables.items()}
        command = ["docker", "container", "run", f"--name={name}", "--network=host"]
        command += [f"--volume={volume}" for volume in self.volumes]
        command += [f"--workdir={BUILD}", "--label=org.bitbucket.pipelines.system=true"]
        command += [f"--env={key}={value}" for key, value in environment.items()]
        self.process = subprocess.Popen(
            [*command, *options, IMAGE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        return name

    def run(self, *options, **variables):
        """Runs the pipe to its end: exit code and log."""
        self.start(*options, **variables)
        log, errors = self.process.communicate(timeout=120)
        # An engine that cannot limit swap says so here; the pipe itself says nothing.
        errors = [line for line in errors.splitlines() if "swap limit capabilities" not in line]
        assert errors == [], "the pipe writes to one stream only"
        return self.process.returncode, log

    def end(self):
        subprocess.run(["docker", "rm", "--force", *self.containers], check=True, capture_output=True)
        shutil.rmtree(self.agent)


@pytest.fixture
def step(sandbox):
    made = Step(sandbox)
    yield made
    made.end()
    ask(sandbox, "workspace/delete", {"path": TARGET, "recursive": True}, missing_is_fine=True)


def ask(sandbox, what, body=None, missing_is_fine=False, **query):
    """A request to the sandbox, past the pipe."""
    address = f"{sandbox.url}/api/{'2.2' if what.startswith('jobs') else '2.0'}/{what}"
    if query:
        address += "?" + urllib.parse.urlencode(query)
    request = urllib.request.Request(address, json.dumps(body).encode() if body else None)
    request.add_header("Authorization", f"Bearer {sandbox.token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if missing_is_fine and error.code == 404:
            return b"{}"
        raise


def deployed(sandbox, path=TARGET):
    """What is in the workspace: path below the target to kind; the pipe's own notes left out."""
    found = {}
    for entry in json.loads(ask(sandbox, "workspace/list", path=path)).get("objects", []):
        name = entry["path"].removeprefix(TARGET + "/")
        if name.startswith(".databricks-deploy"):
            continue
        if entry["object_type"] == "DIRECTORY":
            found |= deployed(sandbox, entry["path"])
        else:
            found[name] = entry["object_type"]
    return found


EXAMPLE = {
    "ingest/customers": "NOTEBOOK",
    "ingest/orders": "NOTEBOOK",
    "lib/currency.py": "FILE",
    "lib/rates.csv": "FILE",
    "reports/explore": "NOTEBOOK",
    "reports/forecast": "NOTEBOOK",
    "reports/revenue": "NOTEBOOK",
    "settings.json": "FILE",
}


def test_what_is_in_the_image(tmp_path):
    name = f"databricks-deploy-content-{os.getpid()}"
    subprocess.run(["docker", "create", "--name", name, IMAGE], check=True, capture_output=True)
    try:
        for path in ("databricks-deploy", "pipe.yml", "README.md", "LICENSE.txt", "THIRD-PARTY.txt"):
            subprocess.run(["docker", "cp", f"{name}:/{path}", tmp_path / path], check=True, capture_output=True)
            if path != "databricks-deploy":
                assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes(), path
        files = subprocess.run(["docker", "export", name], check=True, capture_output=True).stdout
        names = subprocess.run(["tar", "-t"], input=files, check=True, capture_output=True).stdout.decode().split()
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)
    # What an engine puts into every container.
    engines = ("dev/", "etc/", "proc/", "sys/", ".dockerenv")
    assert sorted(name for name in names if not name.startswith(engines)) == [
        "LICENSE.txt", "README.md", "THIRD-PARTY.txt", "databricks-deploy", "pipe.yml",
    ]


def test_what_the_image_says_of_itself():
    said = subprocess.run(["docker", "image", "inspect", IMAGE], check=True, capture_output=True).stdout
    config = json.loads(said)[0]["Config"]
    version = subprocess.run([ROOT / ".ci/version"], check=True, capture_output=True, text=True).stdout.strip()
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["version"] == version
    assert labels["title"] == "databricks-deploy"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["source"] == "https://bitbucket.org/brickpipe/databricks-deploy"
    assert re.fullmatch(r"[0-9a-f]{40}|", labels["revision"])
    assert config["Entrypoint"] == ["/databricks-deploy"]
    assert not config["User"] and not config["Cmd"]


def test_a_deploy_and_a_run(sandbox, step):
    code, log = step.run(LOCAL_PATH="notebooks", RUN="./ingest/orders", PARAMS="day=2026-11-22")
    assert code == 0, log
    assert f"Logged in to {sandbox.url} as ci@example.com" in log
    assert re.search(r"^✔ Deployed to \S+ in .*; it holds 5 notebooks and 3 files ", log, re.MULTILINE), log
    assert re.search(r"^✔ Notebook \S+/ingest/orders succeeded", log, re.MULTILINE), log
    assert deployed(sandbox) == EXAMPLE
    source = ask(sandbox, "workspace/export", path=f"{TARGET}/ingest/orders", direct_download="true")
    # An export leaves out the line break at the end.
    assert source + b"\n" == (ROOT / "examples/repository/notebooks/ingest/orders.py").read_bytes()
    assert sandbox.token not in log and PLATFORM["PIPELINES_JWT_TOKEN"] not in log


def test_the_log_is_in_colour_without_a_terminal(step):
    code, log = step.run(LOCAL_PATH="notebooks", NO_COLOR="")
    assert code == 0, log
    assert "\x1b[32m✔" in log


def test_arrays(sandbox, step):
    code, log = step.run(
        LOCAL_PATH="notebooks",
        EXCLUDE_COUNT=2, EXCLUDE_0="reports/**", EXCLUDE_1="**/*.csv",
        RUN_COUNT=2, RUN_0="./ingest/orders", RUN_1="./ingest/customers",
        PARAMS_COUNT=1, PARAMS_0="greeting=hello, \"world\" $HOME",
    )
    assert code == 0, log
    assert deployed(sandbox) == {
        name: kind for name, kind in EXAMPLE.items() if not name.startswith("reports/") and not name.endswith(".csv")
    }
    assert len(re.findall(r"^✔ .*succeeded", log, re.MULTILINE)) == 2, log


def test_blank_variables_are_unset(sandbox, step):
    code, log = step.run(LOCAL_PATH="notebooks", RUN="", TIMEOUT="", EXCLUDE="", DEBUG="")
    assert code == 0, log
    assert deployed(sandbox) == EXAMPLE


@pytest.mark.parametrize(
    "options",
    [
        ["--read-only"],
        ["--cap-drop=ALL"],
        ["--user=12345"],
        ["--memory=64m"],
        ["--read-only", "--cap-drop=ALL", "--user=12345:12345", "--memory=64m", "--pids-limit=16"],
    ],
    ids=" ".join,
)
def test_a_container_that_may_do_little(sandbox, step, options):
    code, log = step.run(*options, LOCAL_PATH="notebooks")
    assert code == 0, log
    assert deployed(sandbox) == EXAMPLE


def test_a_clone_that_belongs_to_somebody_else(sandbox, step):
    step.owned_by(REMAPPED)
    code, log = step.run(LOCAL_PATH="notebooks")
    assert code == 0, log
    assert deployed(sandbox) == EXAMPLE


def test_the_remapped_root_in_its_clone(sandbox, step):
    step.owned_by(REMAPPED)
    code, log = step.run(f"--user={REMAPPED}:{REMAPPED}", "--cap-drop=ALL", LOCAL_PATH="notebooks")
    assert code == 0, log
    assert deployed(sandbox) == EXAMPLE


def test_a_file_that_nobody_may_read(sandbox, step):
    os.chmod(step.build / "notebooks/settings.json", 0)
    code, log = step.run("--user=12345", "--cap-drop=ALL", LOCAL_PATH="notebooks")
    assert code == 1, log
    assert "settings.json" in log and "[unreadable]" in log
    assert ask(sandbox, "workspace/list", missing_is_fine=True, path=TARGET) == b"{}", "nothing was changed"


def test_large_files_in_little_memory(sandbox, step):
    (step.build / "notebooks/large.bin").write_bytes(os.urandom(100 * 1024 * 1024))
    code, log = step.run("--memory=64m", LOCAL_PATH="notebooks")
    assert code == 0, log
    status = json.loads(ask(sandbox, "workspace/get-status", path=f"{TARGET}/large.bin"))
    assert status["size"] == 100 * 1024 * 1024


def test_many_files_in_little_memory(sandbox, step):
    for number in range(1000):
        path = step.build / f"notebooks/many/{number % 20}/n{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Databricks notebook source\nprint({number})\n")
    code, log = step.run("--memory=64m", LOCAL_PATH="notebooks")
    assert code == 0, log
    assert len(deployed(sandbox)) == 1000 + len(EXAMPLE)


def test_a_failing_job(sandbox, step):
    code, log = step.run(ACTION="run", RUN="always-failing")
    assert code == 4, log
    assert "ZeroDivisionError: division by zero" in log


def test_wrong_settings(step):
    code, log = step.run(DATABRICKS_HOST="", LOCAL_PATH="nowhere", TIMEOUT="soon")
    assert code == 1, log
    for name in ("DATABRICKS_HOST", "TIMEOUT"):
        assert name in log


def test_a_wrong_token(step):
    code, log = step.run(DATABRICKS_TOKEN="dapi00000000000000000000000000000000", LOCAL_PATH="notebooks")
    assert code == 2, log
    assert "[invalid-token]" in log and "dapi0000" not in log


def test_tls_knows_its_authorities(step):
    """There is no certificate file in the image: the client must be able to start, and must refuse this peer."""
    code, log = step.run(DATABRICKS_HOST=step.sandbox.url.replace("http://", "https://"), LOCAL_PATH="notebooks")
    assert code == 2, log
    assert "[tls-failed]" in log or "[host-unreachable]" in log, log


@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_a_signal_to_process_1(sandbox, step, signal):
    name = step.start(ACTION="run", RUN="never-ending")
    try:
        head = []
        for line in step.process.stdout:
            head.append(line)
            if line.startswith("INFO: Started job"):
                break
        else:
            raise AssertionError("it ended:\n" + "".join(head))
        began = time.monotonic()
        # As `docker stop` does it; after its grace of 10 seconds it would kill.
        subprocess.run(["docker", "kill", f"--signal={signal}", name], check=True, capture_output=True)
        log, _ = step.process.communicate(timeout=30)
        lasted = time.monotonic() - began
    finally:
        for run in json.loads(ask(sandbox, "jobs/runs/list", active_only="true")).get("runs", []):
            ask(sandbox, "jobs/runs/cancel", {"run_id": run["run_id"]})
    assert step.process.returncode == 8, "".join(head) + log
    assert "[interrupted]" in log
    assert lasted < 10, f"{lasted:.1f} s is more than the engine's grace"
