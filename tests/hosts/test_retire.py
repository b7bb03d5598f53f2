"""A part that a host left is taken down alone; what was kept aside is listed and put back. Whole hosts: leaving.py."""

import json
import shlex

from deploys.before import keep_aside

SITE = "/etc/nginx/sites-enabled/theirs"
KEPT = "server { listen 127.0.0.1:8089; return 200 kept; }"
SERVED = "curl -sS http://127.0.0.1:8089"


def test_a_part_that_a_host_left_is_told_and_taken_down_and_the_rest_serves_on(broken, project):
    inventory = project / "inventories/sandbox.py"
    inventory.write_text(inventory.read_text() + "\nedge = []\n")
    broken.must("apply", "sandbox", "--yes", cwd=project)
    code, plan = broken.json("plan", "sandbox", cwd=project)
    assert (code, plan["steps"]) == (0, [])
    (left,) = plan["left"]
    assert left["way_out"] == "healthv1 retire sandbox host1 --part edge"
    refused = broken.cli("retire", "sandbox", "host1", "--part", "api", "--yes", cwd=project)
    assert (refused.returncode, "play api" in refused.stderr) == (1, True)

    code, done = broken.json("retire", "sandbox", "host1", "--part", "edge", "--yes", cwd=project)
    assert (code, done["faults"], done["forgotten_by"]) == (0, [], ["host1"])
    assert {"nginx.service", "certbot.timer"} <= {
        change["target"] for step in done["steps"] for change in step["changes"]
    }
    assert broken.shell("ss -Hltn 'sport = :443 or sport = :80'") == ""
    assert broken.shell("find /etc/letsencrypt /etc/nginx/tls -name '*.pem' ! -name directory-ca.pem") == ""
    assert json.loads(broken.shell("curl -sS http://127.0.0.1:8080/health/ready"))["status"] == "ready"
    code, again = broken.json("retire", "sandbox", "host1", "--part", "edge", "--yes", cwd=project)
    assert (code, again["changes"], again["forgotten_by"]) == (0, 0, [])
    assert broken.json("plan", "sandbox", cwd=project)[1]["left"] == []
    broken.must("apply", "sandbox", "--yes", cwd=project)  # notes that the marks of the part are gone
    record = "cat /var/lib/healthv1/applied.json"
    before = broken.shell(record)
    broken.must("apply", "sandbox", "--yes", cwd=project)
    assert broken.shell(record) == before, "a second apply notes nothing"


def test_a_host_that_is_gone_for_good_is_told_and_forgotten(mended):
    gone = {"name": "edge1", "address": mended.running.hosts[0].address.rpartition(".")[0] + ".250", "parts": ["edge"]}
    remember = (
        f"import json; path = '/var/lib/healthv1/applied.json'; record = json.load(open(path));"
        f" record['members'].append({gone}); json.dump(record, open(path, 'w'))"
    )
    mended.shell(f"python3 -c {shlex.quote(remember)}")
    code, plan = mended.json("plan", "sandbox")
    assert (code, [one["address"] for one in plan["left"]]) == (0, [gone["address"]])
    away = mended.cli("retire", "sandbox", "edge1", "--yes")
    assert (away.returncode, "healthv1 retire sandbox edge1 --forget" in away.stderr) == (1, True), away.stderr
    code, done = mended.json("retire", "sandbox", "edge1", "--forget", "--yes")
    assert (code, done["forgotten_by"]) == (0, ["host1"])
    assert mended.json("plan", "sandbox")[1]["left"] == []
    assert mended.json("retire", "sandbox", "edge1", "--forget", "--yes")[1]["forgotten_by"] == []


def test_what_was_kept_aside_is_listed_put_back_and_put_back_again(mended, driver):
    mended.shell(f"echo '{KEPT}' > {SITE}; chmod 0640 {SITE}; touch -d 2020-02-02 {SITE}")
    seen = mended.shell(f"stat -c '%a %U:%G %y' {SITE}; cat {SITE}")
    mended.shell(f"{keep_aside(f'file {SITE}', [SITE], 'nginx -t -q && systemctl reload nginx')}\nrm {SITE}")
    code, listed = mended.json("before", "list", "sandbox")
    (entry,) = [one for one in listed["hosts"]["host1"] if one["thing"] == f"file {SITE}"]
    assert (code, entry["paths"]) == (0, [SITE])
    assert KEPT not in mended.must("before", "list", "sandbox").stdout
    unknown = mended.cli("before", "put-back", "sandbox", "nothing", "--yes")
    assert (unknown.returncode, entry["id"] in unknown.stderr) == (1, True)
    unasked = mended.cli("before", "put-back", "sandbox", entry["id"])
    assert (unasked.returncode, "There is nobody to ask" in unasked.stderr) == (1, True)
    assert mended.shell(f"test -e {SITE} || echo gone") == "gone\n"

    mended.must("before", "put-back", "sandbox", entry["id"], "--yes")
    assert mended.shell(f"stat -c '%a %U:%G %y' {SITE}; cat {SITE}") == seen
    assert mended.shell(f"sleep 1; {SERVED}") == "kept", "its own shell was run"
    assert "Nothing was changed" not in mended.must("before", "put-back", "sandbox", entry["id"], "--yes").stdout
    told = json.loads(mended.must("journal", "show", "sandbox", "--json", "--last", "3").stdout)["runs"]
    assert any(run["command"] == f"before put-back {entry['id']}" for run in told)
    (undo,) = [
        one for one in mended.json("before", "list", "sandbox")[1]["hosts"]["host1"] if "ahead of" in one["thing"]
    ]
    mended.must("before", "put-back", "sandbox", undo["id"], "--yes")
    assert mended.shell(f"test -e {SITE} || echo gone") == "gone\n", "a put-back is put back"
    mended.shell("rm -rf /var/lib/healthv1/before")
    driver.apply().assert_faithful()
