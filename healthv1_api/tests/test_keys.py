"""Nothing is written under a second master key by accident; keys change, and what they sealed stays readable."""

import subprocess
import time

import pytest
from running.clinic import Clinic
from running.daemon import free_port
from running.environment import master_key

PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}


@pytest.fixture
def used(migrated, run, serving):
    """A service of its own with one patient."""
    run("seed", **PASSWORDS)
    service = serving()
    service.becomes(200)
    clinic = Clinic(service, migrated, PASSWORDS)
    clinic.patient = clinic.verifier.new_patient().headers["location"]
    return clinic


def keys_of(database, what="count(*)"):
    return database.sql(f"SELECT {what} FROM health.data_keys WHERE purpose = 'data'")


def test_a_wrong_master_key_stops_the_start_and_every_command(used, run):
    wrong = {"MASTER_KEY": master_key()}
    before = used.database.sql("SELECT string_agg(k::text, '' ORDER BY id) FROM health.data_keys k")
    ports = ["--port", str(free_port()), "--metrics-port", str(free_port())]
    for command in (["serve", *ports], ["keys", "check"], ["keys", "check", "--wrapped"], ["keys", "renew"]):
        refused = run(*command, **wrong)
        assert refused.returncode == 78
        assert refused.stderr.startswith("Error: MASTER_KEY: does not open the keys")
        assert wrong["MASTER_KEY"] not in refused.stderr
    assert used.database.sql("SELECT string_agg(k::text, '' ORDER BY id) FROM health.data_keys k") == before
    assert run("keys", "check").stdout.startswith("MASTER_KEY opens all keys; data key")


def test_two_first_starts_with_different_master_keys_leave_one(command, environment, migrated):
    def start():
        ports = ["--port", str(free_port()), "--metrics-port", str(free_port())]
        env = {**environment, "MASTER_KEY": master_key()}
        return subprocess.Popen([command, "serve", *ports], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    both = [start(), start()]
    try:
        deadline = time.monotonic() + 30
        while all(process.poll() is None for process in both) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sorted([process.poll() is None for process in both]) == [False, True]
        assert next(process.returncode for process in both if process.poll() is not None) == 78
        assert migrated.sql("SELECT count(DISTINCT master) FROM health.data_keys") == "1"
    finally:
        for process in both:
            process.kill()
            process.communicate()


TURN = 0x6B657973  # of who changes keys
TURNS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _until(holds, processes):
    while not holds():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)


def age(database):
    """Every instance has heard of a key that is so old."""
    database.sql("UPDATE health.data_keys SET created_at = created_at - interval '1 minute'")


@pytest.fixture
def renewing(command, environment, used):
    """Begin a renewal; it has added the key that it is to add, and waits until instances know of it."""
    age(used.database)
    begun = []

    def renewing(count=1):
        argv = [command, "keys", "renew"]
        turn = used.database.session(f"SELECT pg_advisory_xact_lock({TURN})")
        begun.extend(subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count))
        _until(lambda: used.database.sql(f"{TURNS} AND NOT granted") == str(count), begun)
        turn.communicate("ROLLBACK;")
        _until(lambda: used.database.sql(TURNS) == "0", begun)
        return begun[0] if count == 1 else begun

    yield renewing
    for process in begun:
        process.kill()
        process.wait()


def test_a_renewed_key_seals_and_instances_that_had_another_read_and_write(used, renewing):
    renewal = renewing()
    assert used.verifier.ask("GET", used.patient).status == 200
    assert used.verifier.new_patient().status == 201  # under the older key: this instance has not heard of the newer
    age(used.database)
    newest = keys_of(used.database, "max(id)")
    assert renewal.communicate()[0] == f"data key {newest} is new; moved 2 rows, and every row is under it\n"
    assert used.database.sql("SELECT DISTINCT key_id FROM health.patients") == newest
    assert used.verifier.ask("GET", used.patient).status == 200
    assert used.verifier.new_patient().status == 201
    assert used.database.sql("SELECT DISTINCT key_id FROM health.patients") == newest


def test_a_renewal_that_was_killed_before_rows_moved_is_finished(used, renewing, run):
    renewing().kill()
    age(used.database)
    newest = keys_of(used.database, "max(id)")
    told = f"data key {newest} was new already: finished what had begun; moved 1 rows, and every row is under it\n"
    assert run("keys", "renew").stdout == told
    assert (keys_of(used.database), used.database.sql("SELECT key_id FROM health.patients")) == ("2", newest)


def test_a_renewal_that_was_killed_among_the_rows_is_finished(used, renewing, run):
    patient = used.patient.rpartition("/")[2]
    order = {"patient_id": patient, "details": "x"}
    assert used.verifier.ask("POST", "/v1/queues/worklist", order).status == 201
    holder = used.database.session("SELECT FROM health.worklist FOR UPDATE")
    renewal = renewing()
    age(used.database)
    newest = keys_of(used.database, "max(id)")
    _until(lambda: used.database.sql("SELECT key_id FROM health.patients") == newest, [renewal])
    renewal.kill()
    holder.communicate("ROLLBACK;")
    assert used.database.sql("SELECT key_id FROM health.worklist") != newest
    assert "was new already" in run("keys", "renew").stdout
    assert (keys_of(used.database), used.database.sql("SELECT key_id FROM health.worklist")) == ("2", newest)
    assert used.verifier.ask("POST", "/v1/queues/worklist/claim").document["details"] == "x"


def test_two_renewals_at_once_are_one(used, renewing):
    used.database.sql("DELETE FROM health.patients")  # nothing but the key's age tells of a renewal
    both = renewing(2)
    age(used.database)
    told = sorted(process.communicate()[0] for process in both)
    assert ["is new" in told[0], "was new already" in told[1]] == [True, True]
    assert keys_of(used.database) == "2"


def test_a_data_key_that_is_due_is_replaced_at_the_next_start(used, run, serving):
    used.database.sql("UPDATE health.data_keys SET created_at = now() - interval '91 days'")
    two = [serving(), serving()]
    assert [service.becomes(200).status for service in two] == [200, 200]
    assert keys_of(used.database) == "2"


def test_the_master_key_moves_and_only_keys_are_rewrapped(used, run, environment, serving):
    new, sealed = {"MASTER_KEY": master_key()}, "SELECT string_agg(p::text, '') FROM health.patients p"
    before = used.database.sql(sealed)
    old = {"MASTER_KEY_ALSO_ACCEPTED": environment["MASTER_KEY"]}
    refused = run("keys", "rewrap", **new, MASTER_KEY_ALSO_ACCEPTED=master_key())
    assert (refused.returncode, refused.stderr[:31]) == (78, "Error: MASTER_KEY_ALSO_ACCEPTED")
    due = run("keys", "check", "--wrapped", **new, **old)
    assert (due.returncode, due.stderr.splitlines()[0]) == (3, "Error: MASTER_KEY does not wrap 2 keys yet.")
    assert run("keys", "check", **new, **old).stdout.startswith("MASTER_KEY and MASTER_KEY_ALSO_ACCEPTED open all keys")
    assert run("keys", "rewrap", **new, **old).stdout == "rewrapped 2 keys\n"
    assert run("keys", "rewrap", **new, **old).stdout.startswith("nothing to do")
    assert run("keys", "check", "--wrapped", **new, **old).stdout.startswith("MASTER_KEY opens all keys")
    assert run("keys", "check", "--wrapped", **new).returncode == 0
    assert used.database.sql(sealed) == before
    assert run("keys", "check").returncode == 78
    # The instance that still runs under the old one writes no key of its own beside the new ones.
    assert run("keys", "renew").returncode == 78
    moved_on = Clinic(serving(**new), used.database, PASSWORDS)
    moved_on.service.becomes(200)
    assert moved_on.verifier.tokens
    assert moved_on.verifier.ask("GET", used.patient).status == 200


def test_the_old_master_key_may_come_on_stdin(used, command, environment):
    new = {**environment, "MASTER_KEY": master_key()}
    for given, code in (("not a key", 78), (environment["MASTER_KEY"], 0)):
        done = subprocess.run(
            [command, "keys", "rewrap"], env=new, input=given, text=True, capture_output=True, check=False
        )
        assert done.returncode == code
    assert done.stdout == "rewrapped 2 keys\n"


def test_a_database_that_comes_later_with_other_keys_is_not_served(used, cluster, serving):
    cluster.pgbouncer.stop()
    try:
        service = serving(MASTER_KEY=master_key())
        assert service.becomes(503).document["failing"] == ["database"]
    finally:
        cluster.pgbouncer.start()
    for _ in range(50):
        failing = service.becomes(503).document["failing"]
        if failing == ["keys"]:
            break
    assert failing == ["keys"]
    assert any("MASTER_KEY does not open" in line["message"] for line in service.log)


def test_keys_before_migrations_name_the_next_command(run):
    refused = run("keys", "check")
    assert refused.returncode == 1
    assert "`healthv1-api migrate run` first" in refused.stderr


def test_a_service_that_was_not_started_has_no_keys(migrated, run):
    assert run("keys", "check").stdout.startswith("no key is stored yet")
    assert run("keys", "check", "--wrapped").returncode == 0
