"""What is known of a patient is in no log, in no metric and, but as ciphertext, on no disk, whatever went wrong."""

import base64
import json
import secrets
import subprocess
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from healthv1.sandbox.reach import ssh_command
from tests.hosts.clinic import PSQL, Clinic
from tests.hosts.world import quoted

# What is printed of any place in which a needle stands. The needles come on stdin: sudo logs arguments.
SEARCH = rf"""umask 077; cat > /run/needles
journalctl --sync
{PSQL} -c CHECKPOINT
found() {{ grep -qaF -f /run/needles; }}
grep -rlaF -f /run/needles / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev --exclude=needles 2>/dev/null
journalctl -o cat --no-pager -a | found && echo JOURNAL
for port in 9080 9081; do curl -sS 127.0.0.1:$port/metrics | found && echo METRICS:$port; done
nginx=$(systemctl show -p MainPID --value nginx)
grep -rlaF -f /run/needles /proc/$nginx/root/var/lib/nginx /proc/$nginx/root/tmp | sed s,^/proc/$nginx/root,NGINX:,
runuser -u postgres -- pg_dump --inserts health_v1_prod | found && echo DUMP
rm -f /run/needles"""


def _found(world, needles):
    argv = ssh_command(world.running.hosts[0], f"sudo sh -c {quoted(SEARCH)}")
    done = subprocess.run(argv, input="\n".join(needles) + "\n", capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def _forms(canary):
    """As programs print it: letters and digits stay what they are in JSON and URLs; base64 has three alignments."""
    raw = canary.encode()
    yield from (canary, canary.upper(), raw.hex(), raw.hex().upper())
    for shift in range(3):
        # The first and the last letters of it depend on what stands beside.
        yield base64.b64encode(bytes(shift) + raw).decode()[4:-4]
        yield base64.urlsafe_b64encode(bytes(shift) + raw).decode()[4:-4]


def _canary():
    return f"canary{secrets.token_hex(10)}"


def _adorned(canary):
    """With letters around it that JSON, URLs and SQL escape."""
    return f'Zoë "{canary}" O\'Neil & <b>\\'


@pytest.fixture
def canaries():
    return {kind: _canary() for kind in ("identifier", "name", "note", "order", "query", "password")}


def _walk(clinic, canaries):
    """Do all that can be done with a patient, and all that can go wrong; leave nothing."""
    patient = {
        "identifier": _adorned(canaries["identifier"]),
        "given_name": _adorned(canaries["name"]),
        "family_name": _adorned(canaries["name"]),
        "birth_date": "1980-02-29",
        "notes": _adorned(canaries["note"]),
    }
    with clinic.patient(**patient) as row:
        path = f"/v1/patients/{row}"
        _reads(clinic, canaries, patient, path)
        _orders(clinic, canaries, row)
        statuses = [status for status, _ in _errors(clinic, canaries, patient, path)]
        assert statuses == [409, 422, 422, 422, 422, 422, 404, 401, 401, 422]
        _is_slow(clinic, canaries, path)
        clinic.sql(f"UPDATE health.patients SET notes = family_name WHERE id = '{row}'")
        status, body = clinic.ask("GET", path)
        assert status == 500
        assert not any(canary in body for canary in canaries.values())


def _reads(clinic, canaries, patient, path):
    by_name = {name: patient[name] for name in ("given_name", "family_name")}
    for answer in (
        clinic.ask("GET", path),
        clinic.ask("GET", "/v1/patients"),
        clinic.ask("POST", "/v1/patients/search", {"identifier": patient["identifier"]}),
        clinic.ask("POST", "/v1/patients/search", by_name),
    ):
        assert answer[0] == 200
        assert canaries["note"] in answer[1]


def _orders(clinic, canaries, row):
    order = {"patient_id": row, "details": _adorned(canaries["order"])}
    assert clinic.ask("POST", "/v1/queues/worklist", order)[0] == 201
    status, body = clinic.ask("POST", "/v1/queues/worklist/claim")
    assert canaries["order"] in body, status
    assert clinic.ask("POST", f"/v1/queues/worklist/{json.loads(body)['id']}/complete")[0] == 204


def _errors(clinic, canaries, patient, path):
    query, note = canaries["query"], canaries["note"]
    yield clinic.ask("POST", "/v1/patients", patient)
    yield clinic.ask("POST", "/v1/patients", {**patient, "birth_date": note})
    yield clinic.ask("POST", "/v1/patients", {**patient, note: note})
    yield clinic.ask("POST", "/v1/patients", {**patient, "identifier": note * 50})
    yield clinic.ask("POST", "/v1/patients", f'{{"notes": "{note}", ')
    yield clinic.ask("GET", f"/v1/patients?limit={query}&ssn={query}", None, "-e", f"https://app.test/?ssn={query}")
    yield clinic.ask("GET", f"/nowhere?ssn={query}")
    yield clinic.login("verification", canaries["password"])
    yield clinic.login(canaries["name"], canaries["password"])
    yield clinic.login(_adorned(canaries["name"]), canaries["password"])


def _is_slow(clinic, canaries, path):
    """A change waits for a lock for longer than the API waits for PostgreSQL, which both tell their logs."""
    row = path.rpartition("/")[2]
    since = clinic.world.shell("date +%s").strip()
    with clinic.held(row):
        status, body = clinic.ask("PATCH", path, {"notes": canaries["note"]}, "-H", 'If-Match: "1"')
    assert status == 503, body
    logged = clinic.world.shell(f"journalctl --sync; journalctl -u 'health-v1-api@*' --since=@{since} -o cat")
    assert "database does not serve a request" in logged
    assert "still waiting for" in clinic.world.shell("tail -n 50 /var/log/postgresql/*.log")


def test_a_canary_is_found_nowhere_on_the_host(deployed, canaries):
    _walk(Clinic(deployed), canaries)
    assert _found(deployed, [form for canary in canaries.values() for form in _forms(canary)]) == set()


# Where something is planted; how, and how it is taken back. In halves: sudo writes each command into the journal.
PLANTS = {
    "/var/log/planted": ("echo $needle > /var/log/planted", "rm /var/log/planted"),
    "JOURNAL": ("echo $needle | systemd-cat -t planted", "true"),
    "NGINX:/var/lib/nginx/body/planted": (
        "echo $needle > /proc/$(systemctl show -p MainPID --value nginx)/root/var/lib/nginx/body/planted",
        "rm /proc/$(systemctl show -p MainPID --value nginx)/root/var/lib/nginx/body/planted",
    ),
    "DUMP": (
        f"{PSQL} -c \"CREATE TABLE public.planted AS SELECT '$needle' AS t\"",
        f"{PSQL} -c 'DROP TABLE public.planted'",
    ),
}


def test_the_search_knows_every_way_to_print_it():
    canary = _canary()
    text, forms = f"before {_adorned(canary)} after", set(_forms(canary))
    for printed in (
        text,
        json.dumps(json.dumps(text)),
        quote(text),
        text.upper(),
        text.encode().hex(),
        *(base64.b64encode((text[skipped:]).encode()).decode() for skipped in range(3)),
    ):
        assert any(form in printed for form in forms), printed


def test_the_search_finds_what_is_planted(deployed):
    canary = _canary()
    half = len(canary) // 2
    with ExitStack() as stack:
        for plant, remove in PLANTS.values():
            stack.callback(deployed.shell, remove)
            deployed.shell(f"needle={canary[:half]}; needle=${{needle}}{canary[half:]}; {plant}")
        found = _found(deployed, _forms(canary))
    assert set(PLANTS) <= found
    assert any(place.startswith("/var/lib/postgresql/") for place in found), "the database's files are not searched"
