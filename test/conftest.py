"""What the tests in Python share: the sandbox workspace, run alone as its users run it, and the last line."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Sandbox:
    """`cargo run --example sandbox`, with what it prints."""

    def __init__(self):
        subprocess.run(["cargo", "build", "--locked", "--quiet", "--example", "sandbox"], cwd=ROOT, check=True)
        folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        self.process = subprocess.Popen(
            [folder / "debug/examples/sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        head = []
        for line in self.process.stdout:
            head.append(line)
            found = re.search(r"DATABRICKS_HOST=(\S+) DATABRICKS_TOKEN=(\S+)", line)
            if found:
                self.url, self.token = found.groups()
                break
        else:
            raise AssertionError("the sandbox ended:\n" + "".join(head))
        self.head = "".join(head)

    def token_of(self, user):
        """The token of somebody else whom the sandbox lists."""
        return re.search(rf"^  (\S+)  {re.escape(user)}", self.head, re.MULTILINE)[1]

    def service_principal(self, what="deployer"):
        """The application id and the OAuth secret of one that the sandbox lists."""
        return re.search(rf"^  (\S+)  {what}.*OAuth secret (\S+)$", self.head, re.MULTILINE).groups()

    def workspace_id(self):
        return re.search(r"^  (\d+)  its id", self.head, re.MULTILINE)[1]

    def job(self, name):
        """The id of a job that the sandbox lists."""
        return int(re.search(rf"^  {re.escape(name)}\s+(\d+)", self.head, re.MULTILINE)[1])

    def fault(self, times, path, status, code):
        """Orders a trouble for the next requests at a path."""
        assert self.order(f"fault {times} {path} {status} {code}") == []

    def step_token(self, kind):
        """The identity token of a Bitbucket step."""
        [token] = self.order(f"step {kind}")
        assert token.count(".") == 2, token
        return token

    def order(self, line):
        """Gives an order, and returns the lines that it prints."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        printed = []
        for answer in self.process.stdout:
            if answer == "ready\n":
                return printed
            printed.append(answer.rstrip("\n"))
        raise AssertionError(f"the sandbox ended after `{line}`")

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="session")
def sandbox():
    running = Sandbox()
    yield running
    running.end()


def pytest_terminal_summary(terminalreporter):
    counts = {name: len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    failed = counts["failed"] + counts["error"]
    terminalreporter.write_line(f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped")
