"""What only AWS Secrets Manager does: its labels, its deletions, its permissions and credentials."""

import json
import logging
import time

import pytest
from botocore.exceptions import ClientError

from deploys.secret import Secret
from healthv1.secrets.aws import SecretsManager
from healthv1.secrets.aws.explanation import AwsPlace, explain
from healthv1.secrets.entry import Entry

SECRETS = (Secret("jwt", 64), Secret("master_key", 32))


@pytest.fixture
def prefix(in_amazon):
    return in_amazon.settings["prefix"]


@pytest.fixture
def client(amazon):
    return amazon.client("secretsmanager")


def _labels(client, name):
    versions = client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    return {version["VersionId"]: sorted(version.get("VersionStages", [])) for version in versions}


def test_an_update_moves_the_current_label_and_leaves_none_of_ours(in_amazon, prefix, client):
    first = in_amazon.backend().change("jwt", lambda _: Entry.first("one"))
    in_amazon.backend().change("jwt", lambda found: found.staged("two"))
    labels = sorted(label for found in _labels(client, f"{prefix}/jwt").values() for label in found)
    assert labels == ["AWSCURRENT", "AWSPREVIOUS"]
    previous = client.get_secret_value(SecretId=f"{prefix}/jwt", VersionStage="AWSPREVIOUS")["SecretString"]
    assert Entry.from_document(json.loads(previous)) == first


def test_whoever_loses_a_race_for_the_label_leaves_no_trace(in_amazon, prefix, client):
    in_amazon.backend().change("jwt", lambda _: Entry.first("one"))
    loser, winner = in_amazon.backend(), in_amazon.backend()
    stale = loser.entry("jwt")
    winner.change("jwt", lambda found: found.staged("two"))
    before = _labels(client, f"{prefix}/jwt")
    assert loser._put("jwt", stale.staged("three"), loser._read["jwt"][1]) is False
    after = _labels(client, f"{prefix}/jwt")
    assert {version: labels for version, labels in after.items() if labels} == before
    assert in_amazon.backend().entry("jwt").newest.value == "two"


def test_a_label_that_was_moved_before_the_answer_was_lost_is_no_defeat(in_amazon):
    backend = in_amazon.backend()
    backend.change("jwt", lambda _: Entry.first("one"))
    label = backend._label
    backend._label = lambda *args, **more: [label(*args, **more) for _ in range(2 if "MoveToVersionId" in more else 1)]
    assert backend.change("jwt", lambda found: found.staged("two")).step == "staged"


def test_a_secret_that_is_scheduled_for_deletion_is_lost_and_not_made_anew(in_amazon, prefix, client, said):
    in_amazon.backend().change("jwt", lambda _: Entry.first("precious"))
    client.delete_secret(SecretId=f"{prefix}/jwt", RecoveryWindowInDays=7)
    fault = said(
        lambda: in_amazon.backend().missing(SECRETS), f"{prefix}#jwt: It is lost: it is scheduled for deletion"
    )
    assert f"aws secretsmanager restore-secret --region eu-central-1 --secret-id {prefix}/jwt" in fault.hint
    client.restore_secret(SecretId=f"{prefix}/jwt")
    assert in_amazon.backend().entry("jwt").current.value == "precious"


def test_names_are_listed_across_pages_and_only_ours(in_amazon, prefix, client, monkeypatch):
    for number in range(7):
        client.create_secret(Name=f"{prefix}/key{number}", SecretString="{}")
    for other in (f"{prefix}-more/key", f"{prefix}/below/key"):
        client.create_secret(Name=other, SecretString="{}")
    backend = in_amazon.backend()
    paginate = backend._client().get_paginator("list_secrets").paginate
    paginator = type("Small", (), {"paginate": lambda _, **more: paginate(PaginationConfig={"PageSize": 2}, **more)})()
    monkeypatch.setattr(backend._client(), "get_paginator", lambda _: paginator)
    assert backend.names() == tuple(f"key{number}" for number in range(7))


@pytest.fixture
def user(amazon, monkeypatch):
    """Return a function that has the backend act as somebody who may do these things alone."""
    iam = amazon.client("iam")

    def act(name, *statements):
        iam.create_user(UserName=name)
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    return act


def _allowed(*actions):
    return {"Effect": "Allow", "Action": [f"secretsmanager:{action}" for action in actions], "Resource": "*"}


def test_a_missing_permission_is_named_with_its_action(in_amazon, prefix, amazon, user, refusal):
    in_amazon.backend().store(SECRETS)
    user("reader", _allowed("GetSecretValue"))
    with amazon.checking_permissions():
        reader = in_amazon.backend()
        assert reader.missing(SECRETS) == ()
        faults = refusal(lambda: reader.store((Secret("d", 32), Secret("e", 32))))
        assert {fault.where for fault in faults} == {f"aws:eu-central-1/{prefix}#d", f"aws:eu-central-1/{prefix}#e"}
        assert f"secretsmanager:CreateSecret on {prefix}/d" in str(faults)
        assert "PutSecretValue" in str(refusal(lambda: reader.change("jwt", lambda found: found.staged("x"))))
        assert "ListSecrets" in str(refusal(reader.names))


def test_the_documented_policy_is_enough_for_each_work(in_amazon, amazon, user):
    user("deployer", _allowed("GetSecretValue", "CreateSecret", "ListSecrets"))
    with amazon.checking_permissions():
        in_amazon.backend().store(SECRETS)
        assert in_amazon.backend().names() == ("jwt", "master_key")
    rotating = ("GetSecretValue", "CreateSecret", "ListSecrets", "PutSecretValue", "UpdateSecretVersionStage")
    user("rotator", _allowed(*rotating))
    with amazon.checking_permissions():
        in_amazon.backend().change("jwt", lambda found: found.staged("two"))


def test_no_credentials_are_said_to_be_missing(in_amazon, monkeypatch, said):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    said(lambda: in_amazon.backend().missing(SECRETS), "There are no credentials", "aws sso login")


def test_a_profile_that_is_not_there_is_named(in_amazon, said):
    said(lambda: in_amazon.backend(profile="nobody").missing(SECRETS), "There is no profile nobody")


def test_an_endpoint_that_is_down_is_said_to_be_within_seconds(in_amazon, said):
    started = time.monotonic()
    backend = in_amazon.backend(endpoint="http://127.0.0.1:9")
    said(lambda: backend.missing(SECRETS), "cannot be reached", "at http://127.0.0.1:9", "region eu-central-1")
    assert time.monotonic() - started < 10


def test_a_region_that_cannot_be_is_explained(amazon, said):
    said(lambda: SecretsManager("x", "no such region").missing(SECRETS), "It cannot be used", "check the region")


def test_no_proxy_is_used_whatever_the_environment_says(in_amazon, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert in_amazon.backend().missing(SECRETS) == SECRETS


def test_no_log_has_a_value_at_whatever_level(in_amazon, caplog):
    caplog.set_level(logging.DEBUG)
    backend = in_amazon.backend()
    backend.change("jwt", lambda _: Entry.first("precious-one"))
    backend.change("jwt", lambda found: found.staged("precious-two"))
    in_amazon.backend().entry("jwt")
    assert "precious" not in caplog.text


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("ExpiredTokenException", "The credentials have expired."),
        ("UnrecognizedClientException", "The credentials are not known there (UnrecognizedClientException)."),
        ("AccessDeniedException", "Permission was denied: secretsmanager:GetSecretValue on production/jwt."),
        ("ThrottlingException", "It cannot answer (ThrottlingException)."),
    ],
)
def test_an_answer_of_aws_that_moto_does_not_give_is_explained_by_its_code(code, what):
    error = ClientError({"Error": {"Code": code, "Message": "precious"}}, "GetSecretValue")
    [fault] = explain(error, AwsPlace("production", "eu-central-1"), "read", "jwt").faults
    assert fault.what == what
    assert "precious" not in str(fault)
