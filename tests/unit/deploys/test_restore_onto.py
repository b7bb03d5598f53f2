"""A host that takes a lost one's place: what lies in other hosts' folders, and what its own database may hold."""

import pytest

from healthv1_backup import folders, keys, notes, onto, preparing, proving, repository, restoring, rows, steps, swapping
from healthv1_backup.job import KEPT, SWAPPED, Job
from healthv1_backup.processes import Failed
from healthv1_backup.repository import KeptBackup
from healthv1_backup.settings import Settings

OURS, LOST, EMPTY = "111111111111", "222222222222", "333333333333"
SEGMENT = "00000002000000010000000A"
CHECKSUM = "491b472f1c7bdfa9e9108f90b5dd6eeb7e31dc3c"


def settings(**values):
    given = {
        "stanza": "health",
        "version": 17,
        "port": 5432,
        "data": "/var/lib/postgresql/17/health",
        "unit": "postgresql@17-health.service",
        "repositories": (f"/health-v1/{OURS}/1",),
        "directories": (),
        "keep_days": 30,
        "archive_timeout": 60,
        "reserve": 16,
        "longest_pause": 86_400,
        "database": "health_v1_prod",
        "owner": "health_owner",
    }
    return Settings(**{**given, **values})


def tree(history, version, cluster="17-1"):
    """Return what is in a host's folder, by path: names, with a time where it is a file."""
    base = f"/health-v1/{history}/{version}"
    archive = f"archive/health/{cluster}"
    return {
        (base, "backup/health"): {
            "20261127-020000F": {},
            "20261128-020000F_20261129-020000I": {},
            "backup.info": {"time": 500},
            "latest": {},
        },
        (base, "archive/health"): {"9.6-1": {}, cluster: {}, "archive.info": {"time": 400}},
        (base, archive): {"0000000100000000": {}, "0000000200000001": {}, "00000002.history": {"time": 300}},
        (base, f"{archive}/0000000200000001"): {
            f"000000020000000100000009-{CHECKSUM}.zst": {"time": 600},
            f"{SEGMENT}-{CHECKSUM}.zst": {"time": 660},
        },
    }


@pytest.fixture
def listed(monkeypatch):
    """Answer for a repository with our own folder, one of a lost host with two versions, and one without a backup."""
    content = {
        ("/health-v1", ""): {".": {}, OURS: {}, LOST: {}, EMPTY: {}, "healthv1-probe": {"time": 1}, "strange": {}},
        (f"/health-v1/{LOST}", ""): {".": {}, "1": {}, "2": {}, "notes": {}},
        (f"/health-v1/{EMPTY}", ""): {"1": {}},
        (f"/health-v1/{OURS}", ""): {"1": {}},
        **tree(OURS, 1),
        **tree(LOST, 1),
        **tree(LOST, 2, "17-2"),
    }

    def answer(asked, number, path):
        (word,) = asked.elsewhere
        assert word.startswith(f"--repo{number}-path=")
        return content.get((word.partition("=")[2], path), {})

    monkeypatch.setattr(repository, "listed", answer)
    return content


def test_folders_of_other_hosts_are_told_by_names_and_times_and_ours_is_not_among_them(listed):
    found = folders.left(settings())
    assert [folder.path for folder in found] == [f"/health-v1/{LOST}/1", f"/health-v1/{LOST}/2"]
    newest = found[-1]
    assert (newest.segment, newest.archived, newest.timeline) == (SEGMENT, 660, 2)
    assert (newest.label, newest.backed_up) == ("20261128-020000F_20261129-020000I", 500)
    assert newest.postgresql == "17"


def test_a_folder_of_another_version_of_postgresql_is_refused_with_the_way_out(listed):
    left = folders.look(settings(), 1, f"/health-v1/{LOST}/2")
    onto.refuse_other_version(left, 17)
    with pytest.raises(Failed, match="of PostgreSQL 17, and this host has 15: take the distribution"):
        onto.refuse_other_version(left, 15)


@pytest.fixture
def live(monkeypatch):
    """Answer for a live database that an apply has just made, and that `verify` was run on."""
    counts = {
        ("health_v1_canary", "public.beat"): 9,
        **{("health_v1_prod", table): 3 for table in rows.MADE_BY_US},
        **{("health_v1_prod", table): 2 for table in rows.OURS_IN},
        ("health_v1_prod", "health.lab_orders"): 0,
    }
    others = dict.fromkeys(rows.OURS_IN, 0)

    def ask(_settings, statement, database="", **_):
        (table,) = [table for table in rows.OURS_IN if f" {table} " in statement.partition(" where ")[0] + " "]
        return [[str(others[table])]]

    monkeypatch.setattr(proving, "count_rows", lambda _: {key: (count, True) for key, count in counts.items()})
    monkeypatch.setattr(rows, "sql", ask)
    return counts, others


def test_what_a_deployment_makes_by_itself_is_nothing_that_anybody_misses(live):
    assert rows.worth_keeping(settings()) == []
    rows.refuse(settings())


@pytest.mark.parametrize("table", ["health.patients", "health.users", "health.organizations"])
def test_one_row_of_somebodys_is_enough_to_refuse(live, table):
    live[1][table] = 1
    with pytest.raises(rows.HoldsRows, match=f"1 of {table}"):
        rows.refuse(settings())


@pytest.mark.parametrize(
    "key", [("health_v1_prod", "health.lab_orders"), ("health_v1_prod", "mine"), ("theirs", "a.b")]
)
def test_a_table_that_we_do_not_know_is_somebodys(live, key):
    live[0][key] = 4
    assert len(rows.worth_keeping(settings())) == 1


def backup(label, system):
    return KeptBackup(label, "full", 1, 2, 3, 4, SEGMENT, SEGMENT, failed=False, system=system)


def test_of_a_folder_with_two_clusters_the_backups_of_one_are_chosen_from():
    kept = [backup("empty", 1), backup("restored", 2), backup("later", 2)]
    assert [one.label for one in repository.of_cluster(kept, 2)] == ["restored", "later"]
    assert [one.label for one in repository.of_cluster(kept)] == ["restored", "later"]
    assert repository.of_cluster(kept[:1], 2) == []
    assert repository.of_cluster([]) == []


@pytest.fixture
def noted(monkeypatch, tmp_path):
    kept = {}
    monkeypatch.setattr(notes, "write", lambda name, document: kept.update({name: {**document}}))
    monkeypatch.setattr(notes, "read", lambda name: {**kept.get(name, {})})
    monkeypatch.setattr(notes, "remove", lambda name: kept.pop(name, None))
    monkeypatch.setattr(onto, "KEYS", tmp_path)
    return kept


ASKED = {
    "text": "latest",
    "kind": "latest",
    "value": "",
    "moment": None,
    "timeline": 1,
    "repository": 1,
    "from": f"/health-v1/{LOST}/2",
    "segment": SEGMENT,
    "archived": 10_000.0,
}


def test_another_folder_is_read_with_the_keys_that_were_sent_and_not_without(noted):
    job = Job("restoring", ASKED)
    with pytest.raises(Failed, match="give the same command again"):
        onto.source(settings(), job)
    (onto.KEYS / onto.FILE).touch()
    words = onto.source(settings(), job).pgbackrest
    assert f"--config-include-path={onto.KEYS}" in words
    assert f"--repo1-path=/health-v1/{LOST}/2" in words
    assert onto.source(settings(), Job("restoring", {"text": "latest"})) == settings()


def test_keys_are_no_way_to_configure_anything_else():
    keys.refuse_other_lines("# ours\n[global]\nrepo1-cipher-pass=a\nrepo1-s3-key=b\nrepo1-s3-key-secret=c\n")
    with pytest.raises(Failed, match="another line"):
        keys.refuse_other_lines("[global]\nrepo1-path=/elsewhere\n")


def test_the_canary_is_judged_by_when_the_lost_host_was_heard_of_last():
    """Not by the clock: it may be days since."""
    wanted = onto.expected(settings(), Job("recovering", ASKED))
    assert wanted.not_before == 10_000 - 60 - proving.BEAT - proving.SLACK
    assert restoring._expected(settings(), Job("recovering", ASKED), live=False) == wanted


def test_a_database_that_holds_rows_by_now_is_not_exchanged(noted, monkeypatch):
    def holds(_):
        raise rows.HoldsRows("the database of this host holds rows: 1 of health.patients")

    monkeypatch.setattr(rows, "refuse", holds)
    monkeypatch.setattr(swapping, "is_exchanged", lambda *_: False)
    monkeypatch.setattr(swapping, "systemctl", lambda *_, **__: pytest.fail("the database was stopped"))
    with pytest.raises(rows.HoldsRows):
        swapping.stop(settings(), Job("stopping", ASKED))


def test_a_database_that_was_stopped_after_it_was_found_empty_is_exchanged(noted, monkeypatch):
    def silent(_):
        raise Failed("PostgreSQL does not answer")

    stopped = []
    monkeypatch.setattr(rows, "refuse", silent)
    monkeypatch.setattr(swapping, "is_exchanged", lambda *_: False)
    monkeypatch.setattr(swapping, "live_control", lambda _: None)
    monkeypatch.setattr(swapping, "systemctl", lambda *words, **_: stopped.append(words[0]))
    with pytest.raises(Failed, match="does not answer"):
        swapping.stop(settings(), Job("stopping", ASKED))
    assert swapping.stop(settings(), Job("stopping", ASKED, swap={"empty": True})) == "exchanging"
    assert stopped == ["stop"]


def test_the_empty_database_is_never_swapped_in_again(noted):
    Job(SWAPPED, ASKED).save()
    with pytest.raises(Failed, match="empty database"):
        swapping.begin(settings())


def test_what_is_kept_of_another_host_keeps_a_new_restore_out_and_can_be_discarded(noted, monkeypatch):
    Job(KEPT, ASKED).save()
    with pytest.raises(Failed, match="kept"):
        onto.begin(settings(), "latest", ASKED["from"], 1)
    assert steps.discard().phase == "removing"


def test_a_folder_of_our_own_becomes_the_restored_clusters(monkeypatch):
    asked = []

    def answer(_, command):
        asked.append(command)
        return preparing.Ended(0, "", "")

    monkeypatch.setattr(onto, "once_nobody_archives", answer)
    onto.adopt_folder(settings())
    assert asked == ["stanza-upgrade"]


def test_a_host_tells_that_it_takes_a_lost_ones_place_until_it_is_done(noted, monkeypatch):
    monkeypatch.setattr(rows, "worth_keeping", lambda _: ["1 of health.patients"])
    assert onto.standing(settings()) == {"onto": {}, "rows": ["1 of health.patients"], "silent": ""}
    notes.write(onto.NOTE, {"folder": ASKED["from"], "began": 1, "served": 0, "done": 0})
    onto.note_served(Job("starting", ASKED, proven={"holds": True}), 2.0)
    onto.end()
    onto.end()
    standing = onto.standing(settings())["onto"]
    assert (standing["served"], standing["done"] > 0) == (2.0, True)
    assert (standing["asked"]["from"], standing["proven"]) == (ASKED["from"], {"holds": True})
