"""A plan reads well on a terminal, says how much it is, and shows no more than it should."""

import unicodedata
from dataclasses import replace

from hypothesis import given

from deploys.operations.change import Change
from healthv1.output.redaction import redactor
from healthv1.plan import Step, total
from healthv1.plan.text import LONG, lines
from tests.unit.plans import CREATE, PROTECT, RELOAD, WRITE, plan_of, plans


def _read(*steps, full=False, **options):
    return [line.text for line in lines(plan_of(*steps, **options), full=full)]


def test_changes_are_grouped_by_stage_host_and_component():
    assert _read(CREATE, PROTECT, WRITE, RELOAD) == [
        "db1 · data",
        "  PostgreSQL",
        "    + create file /etc/x.conf  0644 root:root  2 lines",
        "    ~ update file /y  0644 a:a → 0600 a:a  (mode)",
        "web1 · edge",
        "  Nginx",
        "    ~ update file /etc/nginx.conf  (content)",
        "        @@ -1 +1 @@",
        "        -old",
        "        +new",
        "    ~ reload unit nginx  (to take up /etc/nginx.conf)",
        "        effect: nobody is interrupted",
        "With --full, plan and show print created files and long diffs whole.",
        "Plan: 1 to create, 2 to update, 1 to reload on 2 hosts (of 40 operations).",
    ]


def test_in_full_created_files_and_long_diffs_are_whole():
    long = "--- a\n+++ b\n" + "\n".join(f"+{number}" for number in range(LONG + 3))
    step = replace(WRITE, changes=(Change("file", "/z", "update", "content", long),))
    assert "        … 3 more lines" in _read(step)
    assert f"        +{LONG}" not in _read(step)
    shown = _read(CREATE, step, full=True)
    assert {f"        +{LONG}", "        +two"} <= set(shown)
    assert not any("more lines" in line or "--full" in line for line in shown)


def test_a_line_that_moves_data_is_shown_however_long_the_diff_is_and_in_a_created_file_too():
    moving = ["-data_directory = '/srv/pg/main'", "+data_directory = '/var/lib/postgresql/17/main'", "+appendonly no"]
    diff = "\n".join([*(f"+{number}" for number in range(LONG + 7)), *moving, "+dirty = 1"])
    shown = _read(replace(WRITE, changes=(Change("file", "/z", "update", "content", diff),)))
    assert [line.strip() for line in shown[-6:-2]] == [*moving, "… 8 more lines"]
    created = _read(replace(WRITE, changes=(Change("file", "/z", "create", "", diff),)))
    assert [line.strip() for line in created[3:-2]] == moving


def test_what_several_hosts_share_is_said_once_and_in_the_order_of_the_stages():
    base = [Step(host, "base", "SSH", "Write", PROTECT.changes) for host in ("a", "b", "c")]
    own = Step("b", "base", "Firewall", "Rule", (Change("rule", "80/tcp", "create"),))
    edge = [Step(host, "edge", "Nginx", "Run", RELOAD.changes) for host in ("a", "c")]
    shown = _read(base[0], edge[0], base[1], own, base[2], edge[1], hosts=("a", "b", "c"))
    headings = ["a, b, c · base", "b · base", "a, c · edge"]
    assert [line for line in shown if not line.startswith(" ")][:-1] == headings
    assert shown.count("  SSH") == 1
    assert shown[-1].startswith("Plan: 1 to create, 3 to update, 2 to reload on 3 hosts")


def test_stages_keep_their_order_when_a_host_skips_some():
    steps = [
        Step(host, stage, "X", "x", RELOAD.changes) for host, stage in (("a", "edge"), ("b", "base"), ("b", "edge"))
    ]
    headings = [line for line in _read(*steps, hosts=("a", "b")) if " · " in line]
    assert headings == ["b · base", "a, b · edge"]


def test_the_total_counts_by_action():
    assert total(plan_of(CREATE, PROTECT, WRITE, RELOAD)) == (
        "Plan: 1 to create, 2 to update, 1 to reload on 2 hosts (of 40 operations)."
    )
    assert total(plan_of(RELOAD, hosts=("web1",))) == "Plan: 1 to reload on 1 host (of 40 operations)."
    assert total(plan_of(RELOAD)) == "Plan: 1 to reload on 1 of 2 hosts (of 40 operations)."
    assert total(plan_of(hosts=("web1",))) == "Nothing to do: 40 operations on 1 host, all as they should be."
    assert total(plan_of(hosts=())) == "No host could be planned."


@given(plans)
def test_no_text_of_a_host_steers_the_terminal_or_turns_the_reading(plan):
    for line in lines(plan, full=True):
        assert {unicodedata.category(one) for one in line.text if one != "\t"}.isdisjoint(
            {"Cc", "Cf", "Cs", "Zl", "Zp"}
        )


def test_half_a_character_can_be_printed():
    shown = _read(replace(PROTECT, changes=(Change("file", "\ud800", "update"),)))
    assert "\\ud800" in "\n".join(shown).encode().decode()


def test_a_known_secret_is_blotted_out_even_where_it_is_spelled_out():
    secret = "p\x1bssw<o>rd-of-somebody"
    redactor.add(secret)
    shown = _read(replace(PROTECT, changes=(Change("file", "/y", "update", f"it says {secret}"),)))
    assert any("it says [redacted]" in line for line in shown)
