"""`healthv1 secrets` as a user types it, on an encrypted file of the team's own: no server, no root."""

import base64
import json
import re
import secrets
import signal
import subprocess
import sys

import pytest

from healthv1.secrets import age
from healthv1.secrets.file import EncryptedFile
from tests.terminal import on_a_terminal
from tests.unit.healthv1.team import REPOSITORY, Team

NAMES = {
    "jwt_secret",
    "session_secret",
    "master_key",
    "database_password",
    "database_owner_password",
    "redis_password",
    "admin_password",
    "verification_password",
    "plan_key",
}
NEXT_KEY = base64.b64encode(secrets.token_bytes(32)).decode()
STRONG = "a passphrase of many different letters, 0123456789 and more than enough of them: WQXZJKVB"


@pytest.fixture
def team(tmp_path):
    return Team(tmp_path)


@pytest.fixture
def kept(team):
    team.must("secrets", "init", "recorded")
    return team


def test_what_is_missing_is_generated_once(team):
    first = json.loads(team.must("secrets", "init", "recorded", "--json"))
    assert set(first["generated"]) == NAMES
    written = team.file.read_bytes()
    again = json.loads(team.must("secrets", "init", "recorded", "--json"))
    assert (again["generated"], set(again["kept"])) == ([], NAMES)
    assert team.file.read_bytes() == written


def test_two_that_begin_at_once_end_with_one_set(team):
    both = [subprocess.Popen(team.argv("secrets", "init", "recorded"), cwd=team.folder) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert {name: team.entry(name).active for name in NAMES} == dict.fromkeys(NAMES, 1)


def test_the_list_tells_everything_but_the_values(kept):
    done = kept.run("secrets", "list", "recorded")
    kept.shows_no_value(done)
    assert re.search(r"^database_password +1 +0 min +settled +PostgreSQL, PgBouncer, API$", done.stdout, re.MULTILINE)
    rows = json.loads(kept.must("secrets", "list", "recorded", "--json"))["secrets"]
    assert {row["name"] for row in rows} == NAMES


def test_a_value_of_ones_own_is_taken_from_stdin(kept):
    assert "version 2 of verification_password" in kept.must(
        "secrets", "set", "recorded", "verification_password", stdin=f"{STRONG}\n"
    )
    assert kept.entry("verification_password").current.value == STRONG
    assert kept.entry("verification_password").step == "settled"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("verifcation_password", STRONG, "did you mean verification_password?"),
        ("verification_password", "changeme", "cannot hold the entropy"),
        ("verification_password", "", "empty"),
        ("verification_password", f"{STRONG}\nand more", "more than one line"),
        ("jwt_secret", STRONG, "healthv1 secrets rotate recorded jwt_secret"),
        ("verification_password", f"{STRONG}${{HOME}}", "does not take"),
        ("master_key", STRONG, "not base64 of exactly 32 bytes"),
        ("master_key", NEXT_KEY, "nobody to ask"),
    ],
)
def test_a_value_that_would_do_harm_is_refused(kept, name, value, said):
    assert said in kept.refused("secrets", "set", "recorded", name, stdin=value)


def test_the_master_key_is_replaced_only_by_who_types_what_it_is(kept):
    def typed(words):
        argv = kept.argv("secrets", "set", "recorded", "master_key")
        return on_a_terminal(
            argv, kept.folder, [("master_key: ", NEXT_KEY), ("confirmation: ", NEXT_KEY), ("it: ", words)]
        )

    code, shown = typed("yes")
    assert code == 1
    assert "Type recorded/master_key" in shown
    assert kept.entry("master_key").active == 1
    assert NEXT_KEY not in shown
    code, shown = typed("recorded/master_key")
    assert code == 0, shown
    entry = kept.entry("master_key")
    assert (entry.active, entry.current.value, len(entry.versions)) == (2, NEXT_KEY, 2)
    assert NEXT_KEY not in shown


def test_the_doctor_names_what_is_wrong(kept):
    assert kept.run("secrets", "doctor", "recorded").returncode == 0
    backend = EncryptedFile(kept.file, key_file=kept.key)
    backend.change("database_pasword", lambda _: kept.entry("jwt_secret"))
    backend.change("jwt_secret", lambda entry: entry.staged("short"))
    kept.settings.write_text(
        kept.settings.read_text().replace(
            ", require_escrow=False", ', smtp_username="mail", smtp_password=Secret("smtp_password")'
        )
    )
    kept.settings.write_text("from deploys.secret import Secret\n" + kept.settings.read_text())
    done = kept.run("secrets", "doctor", "recorded", "--json")
    assert done.returncode == 1
    broken = {(one["component"], one["claim"]): one for one in json.loads(done.stdout)["findings"] if not one["holds"]}
    assert set(broken) == {
        ("names", "Every name in the backend is used by some setting"),
        ("jwt_secret", "No rotation of it was left half done"),
        ("master_key", "It was exported for escrow, and read back"),
        ("smtp_password", "It is there"),
    }
    assert broken["names", "Every name in the backend is used by some setting"]["evidence"] == "database_pasword"
    assert broken["smtp_password", "It is there"]["hint"] == "healthv1 secrets set recorded smtp_password"


@pytest.fixture
def guarded(kept):
    """A team that does not deploy before the master key is in escrow."""
    kept.settings.write_text(kept.settings.read_text().replace(", require_escrow=False", ""))
    return kept


def test_nothing_is_deployed_before_the_master_key_was_read_back_from_escrow(guarded):
    def refusal():
        faults = json.loads(guarded.run("plan", "recorded", "--json").stdout)["faults"]
        return [fault["what"] for fault in faults if fault["where"].endswith("#master_key")]

    assert "It was never exported for escrow" in refusal()[0]
    guarded.must("secrets", "export", "recorded", "--to", guarded.recipient, "--out", "safe/master.age")
    assert refusal(), "what nobody read back may be unreadable"
    stranger = guarded.folder / "stranger"
    stranger.write_text(age.generate_key())
    said = guarded.refused("secrets", "read-back", "recorded", "safe/master.age", "--identity", str(stranger))
    assert "does not open it" in said
    guarded.must("secrets", "read-back", "recorded", "safe/master.age", "--identity", str(guarded.key))
    assert refusal() == []


def test_what_the_backend_lost_comes_back_from_escrow_and_what_it_has_is_left_alone(guarded):
    lost = guarded.entry("master_key").current.value
    guarded.must("secrets", "export", "recorded", "--to", guarded.recipient, "--out", "all.age", "--all")
    assert "Nothing was missing" in guarded.must(
        "secrets", "restore", "recorded", "all.age", "--identity", str(guarded.key)
    )
    guarded.file.unlink()
    guarded.must("secrets", "restore", "recorded", "all.age", "--identity", str(guarded.key))
    assert set(EncryptedFile(guarded.file, key_file=guarded.key).names()) == NAMES
    assert guarded.entry("master_key").current.value == lost
    assert guarded.entry("master_key").current.escrowed


def test_an_export_of_before_a_rotation_is_not_taken_for_one_of_after(guarded):
    guarded.must("secrets", "export", "recorded", "--to", guarded.recipient, "--out", "old.age")
    backend = EncryptedFile(guarded.file, key_file=guarded.key)
    backend.change("master_key", lambda entry: entry.staged("the next master key"))
    said = guarded.refused("secrets", "read-back", "recorded", "old.age", "--identity", str(guarded.key))
    assert "does not hold the master_key that the backend keeps now" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "recorded", "--to", "age1wrong", "--out", "x"), "recipient age1wrong"),
        (("rotate", "recorded", "admin_password", "--yes"), "changes it in the API itself"),
        (("rotate", "recorded", "jwt_secert", "--yes"), "did you mean jwt_secret?"),
        (("rotate", "recorded", "jwt_secret"), "nobody to ask"),
        (("rotate", "recorded", "jwt_secret", "data_keys", "--yes"), "by themselves"),
        (("policy", "recorded", "deploy"), "Policies are Vault's"),
        (("list", "recordet"), "no inventory of that name"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_with_what_to_do(kept, arguments, said):
    assert said in kept.refused("secrets", *arguments)


def test_a_rotation_to_a_value_that_no_host_would_take_does_not_begin(kept):
    rotate = ("secrets", "rotate", "recorded", "master_key", "--stdin", "--yes")
    assert "not base64 of exactly 32 bytes" in kept.refused(*rotate, stdin=STRONG)
    assert kept.entry("master_key").step == "settled"


def test_nothing_is_rotated_while_other_changes_are_due(kept):
    assert "changes are due on its hosts" in kept.refused("secrets", "rotate", "recorded", "redis_password", "--yes")


def test_a_rehearsal_keeps_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "healthv1", "secrets", "init", "recorded"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "It keeps nothing" in done.stderr


def test_the_file_gets_a_new_key_and_keeps_every_secret(kept):
    values = {name: kept.entry(name) for name in NAMES}
    kept.must("secrets", "rekey", "recorded")
    assert {name: kept.entry(name) for name in NAMES} == values


def test_an_init_that_is_interrupted_leaves_whole_secrets(team):
    process = subprocess.Popen(team.argv("secrets", "init", "recorded"), cwd=team.folder, stderr=subprocess.PIPE)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    team.must("secrets", "init", "recorded")
    assert {name: team.entry(name).active for name in NAMES} == dict.fromkeys(NAMES, 1)
