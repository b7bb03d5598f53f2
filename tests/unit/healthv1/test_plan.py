"""A plan reads well, says how much it is, and shows no more than it should."""

from deploys.operations.change import Change
from healthv1.errors import Fault
from healthv1.plan import Plan, Step, lines, total

DIFF = "--- nginx.conf (host)\n+++ nginx.conf (wanted)\n@@ -1 +1 @@\n-old\n+new"
STEPS = (
    Step(
        "web1",
        "edge",
        "Nginx",
        "Write nginx.conf",
        (Change("file", "/etc/nginx/nginx.conf", "update", "content", DIFF),),
    ),
    Step("web1", "edge", "Nginx", "Run Nginx", (Change("unit", "nginx", "reload", "its configuration is newer"),)),
    Step("web1", "edge", "Certbot", "Get a certificate", (Change("certificate", "api.example.com", "create"),)),
    Step("db1", "data", "PostgreSQL", "Write settings", (Change("file", "/etc/x.conf", "create", "", DIFF),)),
)


def _plan(*steps, faults=(), hosts=("web1", "db1")):
    return Plan("production", hosts, 40, steps, faults)


def test_changes_are_grouped_by_host_stage_and_component():
    assert list(lines(STEPS)) == [
        "web1 · edge",
        "  Nginx",
        "    ~ update file /etc/nginx/nginx.conf  (content)",
        "        @@ -1 +1 @@",
        "        -old",
        "        +new",
        "    ~ reload unit nginx  (its configuration is newer)",
        "  Certbot",
        "    + create certificate api.example.com",
        "db1 · data",
        "  PostgreSQL",
        "    + create file /etc/x.conf",
    ]


def test_the_total_counts_changes_and_operations():
    assert total(_plan(*STEPS)) == "4 changes by 4 of 40 operations on 2 hosts."
    assert total(_plan(hosts=("web1",))) == "Nothing to do: 40 operations on 1 host, all as they should be."
    assert total(_plan(hosts=())) == "No host could be planned."


def test_one_change_is_one_change():
    assert total(_plan(STEPS[1], hosts=("web1",))) == "1 change by 1 of 40 operations on 1 host."


def test_json_says_the_same_under_a_versioned_schema():
    found = _plan(*STEPS, faults=(Fault("db2", "It cannot be reached."),)).as_json()
    assert (found["schema"], found["changes"], found["considered"]) == (1, 4, 40)
    assert found["steps"][0]["changes"][0]["diff"] == DIFF
    assert found["faults"] == [{"where": "db2", "what": "It cannot be reached.", "hint": ""}]
