"""The official Python SDK drives the sandbox: what it cannot use, nobody should be judged by.

The SDK's own reading of every answer is the test: its types, its paging, its waiters, and its classes of errors.
"""

import base64
import json
import time

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.core import Config
from databricks.sdk.service import compute, jobs, sql, workspace
from databricks.sdk.service.workspace import (
    ExportFormat, ImportFormat, Language, ObjectType, WorkspaceObjectAccessControlRequest, WorkspaceObjectPermissionLevel,
)

HOME = "/Workspace/Users/ci@example.com"


def client(sandbox, token, retry_timeout_seconds=20):
    """The SDK, whatever the home folder says."""
    return WorkspaceClient(config=Config(
        host=sandbox.url, token=token, auth_type="pat", config_file="/dev/null",
        retry_timeout_seconds=retry_timeout_seconds,
    ))


@pytest.fixture(scope="module")
def w(sandbox):
    return client(sandbox, sandbox.token)


@pytest.fixture
def folder(w, request):
    path = f"{HOME}/{request.node.originalname}"
    w.workspace.mkdirs(path)
    yield path
    w.workspace.delete(path, recursive=True)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


JUPYTER = json.dumps({
    "cells": [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ["print(1)"]}],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
})

# Log-in.


def by_oauth(sandbox, service, secret):
    return WorkspaceClient(config=Config(host=sandbox.url, client_id=service, client_secret=secret,
                                         auth_type="oauth-m2m", config_file="/dev/null"))


def by_step(sandbox, service, kind, monkeypatch, **more):
    """As a step of a pipeline logs in: by its own identity, without a secret."""
    monkeypatch.setenv("BITBUCKET_STEP_OIDC_TOKEN", sandbox.step_token(kind))
    return WorkspaceClient(config=Config(host=sandbox.url, client_id=service, auth_type="env-oidc",
                                         oidc_token_env="BITBUCKET_STEP_OIDC_TOKEN", config_file="/dev/null",
                                         **more))


NOBODY = "5f5e8b6a-0000-4000-8000-0000000000ff"


def test_a_service_principal_logs_in_by_oauth(sandbox):
    service, secret = sandbox.service_principal()
    w = by_oauth(sandbox, service, secret)
    assert w.current_user.me().user_name == service
    w.workspace.mkdirs("/Shared/by-oauth")


def test_a_wrong_or_expired_oauth_secret_or_client_id_is_refused(sandbox):
    service, secret = sandbox.service_principal()
    _, old = sandbox.service_principal("the same")
    for who, what in [(service, "dose00000000000000000000000000000000"), (service, old), (NOBODY, secret)]:
        with pytest.raises(Exception, match="invalid_client"):
            by_oauth(sandbox, who, what).current_user.me()


def test_a_step_logs_in_by_its_own_identity(sandbox, monkeypatch):
    service, _ = sandbox.service_principal()
    w = by_step(sandbox, service, "production", monkeypatch)
    assert w.current_user.me().user_name == service
    w.workspace.mkdirs("/Shared/by-step")


@pytest.mark.parametrize(
    ("kind", "service", "text"),
    [
        ("branch", None, r"TOKEN_INVALID \(Ensure a valid federation policy has been configured\)"),
        ("production", NOBODY, r"TOKEN_INVALID \(Ensure a valid federation policy has been configured\)"),
        ("foreign", None, r"TOKEN_AUDIENCE_INVALID \(Token audience 'https://elsewhere' invalid\)"),
        ("expired", None, "TOKEN_EXPIRED"),
        ("forged", None, "signature"),
    ],
)
def test_a_step_that_is_not_trusted_is_refused(sandbox, monkeypatch, kind, service, text):
    deployer, _ = sandbox.service_principal()
    with pytest.raises(Exception, match=f"invalid_grant.*{text}"):
        by_step(sandbox, service or deployer, kind, monkeypatch).current_user.me()


def test_whoever_was_not_let_into_the_workspace_is_denied_after_the_log_in(sandbox, monkeypatch):
    stranger, secret = sandbox.service_principal("stranger")
    for w in (by_oauth(sandbox, stranger, secret), by_step(sandbox, stranger, "production", monkeypatch)):
        with pytest.raises(errors.PermissionDenied, match="does not have access to this workspace"):
            w.current_user.me()


@pytest.fixture
def unified(sandbox):
    assert sandbox.order("host unified") == []
    yield sandbox
    sandbox.order("host workspace")


def test_a_step_logs_in_at_a_unified_host_and_names_the_workspace(unified, monkeypatch):
    service, _ = unified.service_principal()
    w = by_step(unified, service, "production", monkeypatch, workspace_id=unified.workspace_id())
    assert "/oidc/accounts/" in w.config.databricks_oidc_endpoints.token_endpoint
    assert w.current_user.me().user_name == service


@pytest.mark.parametrize("workspace_id", [None, "77"])
def test_a_unified_host_sends_others_to_its_sign_in_page(unified, monkeypatch, workspace_id):
    service, _ = unified.service_principal()
    w = by_step(unified, service, "production", monkeypatch, workspace_id=workspace_id)
    # The SDK takes any 200 for JSON.
    with pytest.raises(ValueError, match="Expecting value"):
        w.current_user.me()


def test_who_am_i(w):
    me = w.current_user.me()
    assert me.user_name == "ci@example.com"
    assert me.active
    assert me.id


def test_another_token_is_another_user(sandbox):
    me = client(sandbox, sandbox.token_of("viewer@example.com")).current_user.me()
    assert me.user_name == "viewer@example.com"


@pytest.mark.parametrize("token", ["dapi00000000000000000000000000000000", "late@example.com"])
def test_a_wrong_or_expired_token_is_denied(sandbox, token):
    if "@" in token:
        token = sandbox.token_of(token)
    with pytest.raises(errors.PermissionDenied, match="Invalid access token"):
        client(sandbox, token).current_user.me()


def test_a_log_in_by_password_is_not_authenticated(sandbox):
    config = Config(host=sandbox.url, username="ci@example.com", password="x", auth_type="basic",
                    config_file="/dev/null")
    with pytest.raises(errors.Unauthenticated, match="Credential was not sent"):
        WorkspaceClient(config=config).current_user.me()


# Folders and objects.


def test_folders(w, folder):
    w.workspace.mkdirs(f"{folder}/a/b/c")
    w.workspace.mkdirs(f"{folder}/a/b/c")
    status = w.workspace.get_status(f"{folder}/a/b")
    assert status.object_type == ObjectType.DIRECTORY
    assert status.object_id
    assert [entry.path for entry in w.workspace.list(f"{folder}/a")] == [f"{folder}/a/b"]
    assert list(w.workspace.list(f"{folder}/a/b/c")) == []
    everything = sorted(entry.path for entry in w.workspace.list(folder, recursive=True))
    # The SDK's recursive listing leaves folders out.
    assert everything == []


@pytest.mark.parametrize(
    ("name", "content", "format", "language", "becomes", "at"),
    [
        ("n.py", "# Databricks notebook source\nprint(1)\n", ImportFormat.AUTO, None, Language.PYTHON, "n"),
        ("n.sql", "-- Databricks notebook source\nSELECT 1\n", ImportFormat.AUTO, None, Language.SQL, "n"),
        ("n.scala", "// Databricks notebook source\nprintln(1)\n", ImportFormat.AUTO, None, Language.SCALA, "n"),
        ("n.r", "# Databricks notebook source\nprint(1)\n", ImportFormat.AUTO, None, Language.R, "n"),
        ("n.ipynb", JUPYTER, ImportFormat.AUTO, None, Language.PYTHON, "n"),
        ("f.py", "print(1)\n", ImportFormat.AUTO, None, None, "f.py"),
        ("f.csv", "a,b\n", ImportFormat.AUTO, None, None, "f.csv"),
        ("n", "print(1)\n", ImportFormat.SOURCE, Language.PYTHON, Language.PYTHON, "n"),
        ("n", "SELECT 1\n", ImportFormat.SOURCE, Language.SQL, Language.SQL, "n"),
        ("n", JUPYTER, ImportFormat.JUPYTER, None, Language.PYTHON, "n"),
        ("r.py", "# Databricks notebook source\nprint(1)\n", ImportFormat.RAW, None, None, "r.py"),
    ],
)
@pytest.mark.parametrize("way", ["multipart", "json"])
def test_import_in_every_format(w, folder, way, name, content, format, language, becomes, at):
    if way == "multipart":
        w.workspace.upload(f"{folder}/{name}", content.encode(), format=format, language=language)
    else:
        w.workspace.import_(f"{folder}/{name}", content=encoded(content), format=format, language=language)
    [made] = w.workspace.list(folder)
    assert made.path == f"{folder}/{at}"
    status = w.workspace.get_status(made.path)
    assert status == made
    if becomes:
        assert (status.object_type, status.language) == (ObjectType.NOTEBOOK, becomes)
    else:
        assert (status.object_type, status.language) == (ObjectType.FILE, None)
        assert status.size == len(content)
        assert w.workspace.download(made.path).read().decode() == content
    assert abs(status.modified_at / 1000 - time.time()) < 600


@pytest.mark.parametrize("format", [ImportFormat.DBC, ImportFormat.HTML, ImportFormat.R_MARKDOWN])
def test_a_format_that_the_sandbox_does_not_know_is_refused_loudly(w, folder, format):
    with pytest.raises(errors.NotImplemented, match="sandbox"):
        w.workspace.upload(f"{folder}/n", b"x", format=format)


def test_export(w, folder):
    w.workspace.upload(f"{folder}/n", b"print(1)\n", format=ImportFormat.SOURCE, language=Language.PYTHON)
    answer = w.workspace.export(f"{folder}/n", format=ExportFormat.SOURCE)
    assert base64.b64decode(answer.content) == b"# Databricks notebook source\nprint(1)"
    assert answer.file_type == "py"
    answer = w.workspace.export(f"{folder}/n", format=ExportFormat.JUPYTER)
    notebook = json.loads(base64.b64decode(answer.content))
    assert ["".join(cell["source"]) for cell in notebook["cells"]] == ["print(1)"]
    direct = w.workspace.download(f"{folder}/n").read()
    assert direct == b"# Databricks notebook source\nprint(1)"


def test_overwrite_keeps_the_object(w, folder):
    def upload(text, **more):
        w.workspace.upload(f"{folder}/f.txt", text, format=ImportFormat.AUTO, **more)
        return w.workspace.get_status(f"{folder}/f.txt").object_id

    first = upload(b"1")
    with pytest.raises(errors.ResourceAlreadyExists):
        upload(b"2")
    assert upload(b"2", overwrite=True) == first
    assert w.workspace.download(f"{folder}/f.txt").read() == b"2"


def test_rights_on_a_folder(w, folder):
    number = str(w.workspace.get_status(folder).object_id)
    viewer = WorkspaceObjectAccessControlRequest(
        user_name="viewer@example.com", permission_level=WorkspaceObjectPermissionLevel.CAN_RUN)
    given = w.workspace.update_permissions("directories", number, access_control_list=[viewer])
    told = w.workspace.get_permissions("directories", number)
    assert told.as_dict() == given.as_dict() and told.object_type == "directory"
    rights = {entry.user_name or entry.group_name: entry.all_permissions for entry in told.access_control_list}
    assert rights["viewer@example.com"][0].permission_level == WorkspaceObjectPermissionLevel.CAN_RUN
    assert rights["admins"][0].inherited and rights["admins"][0].inherited_from_object
    w.workspace.set_permissions("directories", number, access_control_list=[])
    left = w.workspace.get_permissions("directories", number).access_control_list
    assert all(right.inherited for entry in left for right in entry.all_permissions)
    viewer.user_name = "nobody@example.com"
    with pytest.raises(errors.NotFound, match="does not exist"):
        w.workspace.update_permissions("directories", number, access_control_list=[viewer])


def test_rights_on_a_job(w, sandbox):
    number = sandbox.job("nightly-etl")
    told = w.jobs.get_permissions(str(number))
    assert (told.object_type, told.object_id) == ("job", f"/jobs/{number}")
    rights = {entry.user_name or entry.group_name: entry.all_permissions for entry in told.access_control_list}
    assert rights["ci@example.com"][0].permission_level == jobs.JobPermissionLevel.IS_OWNER
    assert rights["admins"][0].inherited and rights["admins"][0].permission_level == jobs.JobPermissionLevel.CAN_MANAGE
    with pytest.raises(errors.PermissionDenied, match="does not have Manage permissions on Job"):
        client(sandbox, sandbox.token_of("viewer@example.com")).jobs.get_permissions(str(number))


def test_what_jobs_run_on(w):
    cluster = w.clusters.get("0123-456789-abcdefgh")
    assert (cluster.cluster_name, cluster.state) == ("shared", compute.State.TERMINATED)
    # The SDK knows the service's words for a missing one.
    with pytest.raises(errors.ResourceDoesNotExist, match="Cluster 0000-000000-missing0 does not exist"):
        w.clusters.get("0000-000000-missing0")
    warehouse = w.warehouses.get("abcdef0123456789")
    assert (warehouse.name, warehouse.state) == ("reports", sql.State.STOPPED)
    with pytest.raises(errors.NotFound):
        w.warehouses.get("0000000000000000")


def test_delete(w, folder):
    w.workspace.mkdirs(f"{folder}/sub")
    w.workspace.upload(f"{folder}/sub/f.txt", b"1", format=ImportFormat.AUTO)
    with pytest.raises(errors.BadRequest) as caught:
        w.workspace.delete(f"{folder}/sub")
    assert caught.value.error_code == "DIRECTORY_NOT_EMPTY"
    w.workspace.delete(f"{folder}/sub", recursive=True)
    with pytest.raises(errors.ResourceDoesNotExist):
        w.workspace.get_status(f"{folder}/sub/f.txt")
    with pytest.raises(errors.ResourceDoesNotExist):
        w.workspace.delete(f"{folder}/sub")


# Jobs.


def notebook_task(key, path, **more):
    return jobs.Task(task_key=key, notebook_task=jobs.NotebookTask(notebook_path=path), **more)


@pytest.fixture
def job(w, folder):
    """A job of two notebooks, which are there."""
    for name in ("one", "two"):
        w.workspace.upload(f"{folder}/{name}", b"1", format=ImportFormat.SOURCE, language=Language.PYTHON)
    made = w.jobs.create(
        name=folder.rsplit("/", 1)[1],
        tasks=[
            notebook_task("one", f"{folder}/one"),
            notebook_task("two", f"{folder}/two", depends_on=[jobs.TaskDependency(task_key="one")]),
        ],
        parameters=[jobs.JobParameterDefinition(name="day", default="today")],
        tags={"team": "data"},
    )
    yield made.job_id
    w.jobs.delete(made.job_id)


def test_a_job_is_what_it_was_made_as(w, job):
    got = w.jobs.get(job)
    assert got.job_id == job
    assert got.creator_user_name == "ci@example.com"
    assert [task.task_key for task in got.settings.tasks] == ["one", "two"]
    assert got.settings.tasks[1].depends_on[0].task_key == "one"
    assert got.settings.tags == {"team": "data"}
    assert got.settings.parameters[0].name == "day"
    assert got.settings.format == jobs.Format.MULTI_TASK


def test_a_job_of_many_tasks_comes_in_pages(w):
    tasks = [notebook_task(f"t{number:03}", "/Workspace/Shared/x") for number in range(250)]
    made = w.jobs.create(name="many tasks", tasks=tasks)
    got = w.jobs.get(made.job_id)
    assert sorted(task.task_key for task in got.settings.tasks) == [task.task_key for task in tasks]
    w.jobs.delete(made.job_id)


def test_list_pages_and_finds_by_name(w):
    made = [w.jobs.create(name=f"listed {number % 2}", tasks=[]).job_id for number in range(45)]
    listed = [job.job_id for job in w.jobs.list(limit=10)]
    assert listed[:45] == made[::-1]
    assert len(listed) == len(set(listed))
    by_name = [job.job_id for job in w.jobs.list(name="LISTED 1", limit=7)]
    assert by_name == made[1::2][::-1]
    assert list(w.jobs.list(name="listed")) == []
    for job_id in made:
        w.jobs.delete(job_id)


def test_run_now_and_wait(w, job):
    seen = []
    run = w.jobs.run_now(job, job_parameters={"day": "2026-11-22"}).result(callback=lambda run: seen.append(run.state))
    assert run.state.life_cycle_state == jobs.RunLifeCycleState.TERMINATED
    assert run.state.result_state == jobs.RunResultState.SUCCESS
    assert run.status.state == jobs.RunLifecycleStateV2State.TERMINATED
    assert run.status.termination_details.code == jobs.TerminationCodeCode.SUCCESS
    assert {task.task_key: task.state.result_state.value for task in run.tasks} == {"one": "SUCCESS", "two": "SUCCESS"}
    assert run.job_parameters[0].value == "2026-11-22"
    assert run.job_id == job and run.run_page_url
    states = [state.life_cycle_state for state in seen]
    assert jobs.RunLifeCycleState.RUNNING in states
    assert [run.run_id for run in w.jobs.list_runs(job_id=job)] == [run.run_id]


def test_one_token_one_run(w, job):
    first = w.jobs.run_now(job, idempotency_token="once").response.run_id
    assert w.jobs.run_now(job, idempotency_token="once").response.run_id == first
    assert w.jobs.run_now(job, idempotency_token="twice").response.run_id != first


def test_the_output_of_a_task(w, sandbox):
    nightly = sandbox.job("nightly-etl")
    w.workspace.mkdirs("/Workspace/Shared/etl")
    for name in ("ingest", "report"):
        w.workspace.upload(f"/Workspace/Shared/etl/{name}", b"1", format=ImportFormat.SOURCE, language=Language.PYTHON)
    run = w.jobs.run_now(nightly).result()
    ingest = next(task for task in run.tasks if task.task_key == "ingest")
    assert w.jobs.get_run_output(ingest.run_id).notebook_output.result == "1204 orders"
    with pytest.raises(errors.InvalidParameterValue, match="multiple tasks"):
        w.jobs.get_run_output(run.run_id)
    w.workspace.delete("/Workspace/Shared/etl", recursive=True)


def test_a_failure_is_an_error_of_the_waiter_and_has_its_trace(w, sandbox):
    waiter = w.jobs.run_now(sandbox.job("always-failing"))
    with pytest.raises(errors.OperationFailed, match="INTERNAL_ERROR"):
        waiter.result()
    [task] = w.jobs.get_run(waiter.response.run_id).tasks
    assert task.state.result_state == jobs.RunResultState.FAILED
    output = w.jobs.get_run_output(task.run_id)
    assert output.error == "ZeroDivisionError: division by zero"
    assert output.error_trace.startswith("Traceback")


def test_a_notebook_that_is_not_there(w):
    waiter = w.jobs.submit(run_name="nowhere", tasks=[jobs.SubmitTask(
        task_key="only", notebook_task=jobs.NotebookTask(notebook_path="/Workspace/Shared/nowhere")
    )])
    with pytest.raises(errors.OperationFailed):
        waiter.result()
    run = w.jobs.get_run(waiter.response.run_id)
    assert run.run_type == jobs.RunType.SUBMIT_RUN
    assert "nowhere" in run.tasks[0].state.state_message


def test_cancel(w, sandbox):
    run_id = w.jobs.run_now(sandbox.job("never-ending")).response.run_id
    for _ in range(3):
        assert w.jobs.get_run(run_id).state.result_state is None
    with pytest.raises(errors.InvalidState):
        w.jobs.delete_run(run_id)
    run = w.jobs.cancel_run_and_wait(run_id)
    assert run.state.result_state == jobs.RunResultState.CANCELED
    assert run.status.termination_details.code == jobs.TerminationCodeCode.USER_CANCELED
    w.jobs.cancel_run(run_id)
    w.jobs.delete_run(run_id)
    with pytest.raises(errors.ResourceDoesNotExist):
        w.jobs.get_run(run_id)


# Errors. What the sandbox gives by itself is above and here; the rest is ordered.


def test_a_missing_job_or_run(w):
    with pytest.raises(errors.ResourceDoesNotExist):
        w.jobs.get(404)
    with pytest.raises(errors.ResourceDoesNotExist):
        w.jobs.get_run(404)
    with pytest.raises(errors.InvalidParameterValue):
        w.jobs.run_now(404)


def test_what_one_may_not_do(sandbox):
    viewer = client(sandbox, sandbox.token_of("viewer@example.com"))
    with pytest.raises(errors.PermissionDenied, match="does not have"):
        viewer.jobs.get(sandbox.job("nightly-etl"))
    # What one may not see looks as if it were not there.
    with pytest.raises(errors.ResourceDoesNotExist):
        viewer.workspace.get_status(HOME)


def test_an_unknown_route_is_loud(w):
    with pytest.raises(errors.NotFound, match="No API found"):
        w.api_client.do("GET", "/api/2.0/no-such-thing")


def test_details_of_an_error(w, folder):
    with pytest.raises(errors.DatabricksError) as caught:
        w.workspace.get_status(f"{folder}/nothing")
    assert caught.value.get_error_details().request_info.request_id


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "BAD_REQUEST", errors.BadRequest),
        (400, "INVALID_STATE", errors.InvalidState),
        (401, "UNAUTHENTICATED", errors.Unauthenticated),
        (403, "PERMISSION_DENIED", errors.PermissionDenied),
        (404, "NOT_FOUND", errors.NotFound),
        (409, "RESOURCE_CONFLICT", errors.ResourceConflict),
        (409, "ABORTED", errors.Aborted),
        (409, "ALREADY_EXISTS", errors.AlreadyExists),
        (499, "CANCELLED", errors.Cancelled),
        (500, "INTERNAL_ERROR", errors.InternalError),
        (500, "UNKNOWN", errors.Unknown),
        (500, "DATA_LOSS", errors.DataLoss),
        (504, "DEADLINE_EXCEEDED", errors.DeadlineExceeded),
    ],
)
def test_every_class_of_error(w, sandbox, status, code, kind):
    sandbox.fault(1, "/api/2.0/workspace/get-status", status, code)
    with pytest.raises(errors.DatabricksError) as caught:
        w.workspace.get_status(HOME)
    assert type(caught.value) is kind
    assert w.workspace.get_status(HOME).object_type == ObjectType.DIRECTORY


def test_a_429_is_waited_for(w, sandbox):
    sandbox.fault(1, "/api/2.0/workspace/get-status", 429, "REQUEST_LIMIT_EXCEEDED")
    began = time.monotonic()
    assert w.workspace.get_status(HOME).object_type == ObjectType.DIRECTORY
    assert time.monotonic() - began >= 1, "Retry-After was obeyed"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "TOO_MANY", errors.TooManyRequests),
        (429, "RESOURCE_EXHAUSTED", errors.ResourceExhausted),
        (429, "REQUEST_LIMIT_EXCEEDED", errors.RequestLimitExceeded),
        (503, "TEMPORARILY_UNAVAILABLE", errors.TemporarilyUnavailable),
    ],
)
def test_what_is_borne_only_for_a_while(sandbox, status, code, kind):
    impatient = client(sandbox, sandbox.token, retry_timeout_seconds=1)
    # More than it tries in a second.
    sandbox.fault(2, "/api/2.0/workspace/get-status", status, code)
    with pytest.raises(TimeoutError) as caught:
        impatient.workspace.get_status(HOME)
    assert type(caught.value.__cause__) is kind
    # What is left of the order.
    client(sandbox, sandbox.token).workspace.get_status(HOME)
