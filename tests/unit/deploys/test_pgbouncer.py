"""The pooler's files: what it is told, and that an awkward password survives them."""

import os
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploys.component import template
from deploys.credentials.logins import DatabaseLogin
from deploys.faults import Refused
from deploys.pgbouncer import commands
from deploys.pgbouncer.commands import is_serving, query
from deploys.pgbouncer.settings import HAS_PREPARED_STATEMENTS, Pgbouncer
from deploys.pgbouncer.userlist import userlist
from deploys.pooler import Pooler
from deploys.stack import Stack

STACK = Stack(domain="api.example.com")
POOLER = Pooler()


def _ini(remote=False, prepares=True, **settings):
    text = template(
        "pgbouncer/pgbouncer.ini",
        stack=STACK,
        pooler=POOLER,
        settings=Pgbouncer(**settings),
        database="10.0.0.1" if remote else "127.0.0.1",
        remote=remote,
        prepares=prepares,
        reset="DISCARD ALL",
    )()
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line and not line.startswith(";"))


def test_the_guides_values_are_the_defaults():
    found = _ini()
    assert found["health_v1_prod"] == "host=127.0.0.1 port=5432 dbname=health_v1_prod"
    assert (found["pool_mode"], found["max_client_conn"], found["default_pool_size"]) == ("transaction", "1000", "25")
    assert (found["auth_type"], found["listen_addr"], found["listen_port"]) == ("scram-sha-256", "127.0.0.1", "6432")


def test_a_database_elsewhere_is_spoken_to_over_tls():
    assert _ini(remote=True)["server_tls_sslmode"] == "require"
    assert _ini(remote=True)["health_v1_prod"].startswith("host=10.0.0.1 ")
    assert _ini()["server_tls_sslmode"] == "disable"


def test_prepared_statements_are_mentioned_only_where_they_are_known():
    assert _ini()["max_prepared_statements"] == "200"
    assert "max_prepared_statements" not in _ini(prepares=False)
    assert HAS_PREPARED_STATEMENTS["debian", "12"] is False


def test_every_client_and_connection_may_open_its_file():
    settings = Pgbouncer(max_client_conn=5000, default_pool_size=100)
    assert settings.limit_nofile > 5100
    text = template("pgbouncer/hardening.conf", settings=settings, pooler=POOLER, remote=False)()
    assert f"LimitNOFILE={settings.limit_nofile}\n" in text
    # The account is PostgreSQL's too: its shared memory would go when the pooler stops.
    assert "\nRemoveIPC" not in text


def test_a_pool_larger_than_its_clients_is_refused():
    with pytest.raises(Refused, match="more than max_client_conn"):
        Pgbouncer(max_client_conn=10)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), min_size=1))
@example('it\'s "quoted" \\ $HOME `id` %s :/@#')
@example('""')
def test_the_probe_reads_back_the_password_that_was_written(tmp_path_factory, password):
    at = tmp_path_factory.mktemp("userlist") / "userlist.txt"
    both = DatabaseLogin("health_user_b", "another"), DatabaseLogin("health_user_a", password)
    at.write_text(userlist(both), encoding="utf-8", newline="")
    script = query(POOLER, STACK, "health_user_a", "select 1").rpartition(" | PGCONNECT")[0]
    script = script.replace(POOLER.userlist, str(at))
    told = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert told.stdout.decode() == f"{password}\n"


def test_a_password_of_more_than_one_line_is_refused_and_not_shown():
    with pytest.raises(Refused) as refusal:
        userlist([DatabaseLogin("health_user_a", "secret\nsecond")])
    assert "secret" not in str(refusal.value)


def test_the_list_is_the_same_whichever_login_is_active():
    one, other = DatabaseLogin("health_user_a", 'a"'), DatabaseLogin("health_user_b", "b")
    assert userlist([one, other]) == userlist([other, one]) == '"health_user_a" "a"""\n"health_user_b" "b"\n'


def test_every_accepted_login_is_tried():
    assert is_serving(POOLER, STACK, ("health_user_b", "health_user_a")).count("select current_user") == 2


@pytest.mark.parametrize(("does", "said"), [("sleep 9", "no answer within 0.2 s\n"), ("exit 2", ""), ("exit 0", None)])
def test_a_pooler_that_lets_one_wait_is_waited_for_a_while(tmp_path, monkeypatch, does, said):
    monkeypatch.setattr(commands, "TIMEOUT_SECONDS", 0.2)
    (tmp_path / "psql").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "psql").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", f"{query(POOLER, STACK, 'someone', 'select 1', print_password='echo secret')} && echo yes"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == ((0, "", "yes\n") if said is None else (1, said, ""))


def test_a_new_host_has_a_pooler_of_ours_beside_the_distributions():
    pooler = Pooler.from_marks({})
    assert (pooler.unit, pooler.ini) == ("health-v1-pgbouncer.service", "/etc/pgbouncer/health-v1.ini")
    assert _ini()["unix_socket_dir"] == "/run/health-v1-pgbouncer"
    unit = template("pgbouncer/health-v1-pgbouncer.service", pooler=pooler)()
    assert "\nExecStart=/usr/sbin/pgbouncer /etc/pgbouncer/health-v1.ini\n" in unit


def test_a_host_that_took_the_distributions_pooler_keeps_it():
    pooler = Pooler.from_marks({"pgbouncer": "pgbouncer"})
    places = (pooler.unit, pooler.ini, pooler.userlist, pooler.sockets)
    assert places == (
        "pgbouncer.service",
        "/etc/pgbouncer/pgbouncer.ini",
        "/etc/pgbouncer/userlist.txt",
        "/run/pgbouncer",
    )
    assert pooler.drop_in == "/etc/systemd/system/pgbouncer.service.d"
