"""Many claims tried in one shell: each gets the answer that it gets alone, and none is held true without one."""

import subprocess
import time

import pytest

from deploys.component import Check
from healthv1.verify.batch import OUTPUT, answers, script


def _tried(*commands, seconds=5):
    text, mark = script([Check("", command, "") for command in commands], seconds)
    done = subprocess.run(["sh", "-s"], input=text.encode(), capture_output=True, check=False, start_new_session=True)
    return answers(done.stdout.decode().splitlines(), mark)


def _codes(*commands, **options):
    return {number: answer.code for number, answer in _tried(*commands, **options).items()}


def test_each_claim_has_its_own_exit_code_and_output():
    found = _tried(
        "true", "echo seen; echo said >&2; exit 3", "test 1 = 2", "printf unended; false", "echo a; echo; exit 1"
    )
    assert {number: (one.code, one.output) for number, one in found.items()} == {
        0: (0, ""),
        1: (3, "seen\nsaid"),
        2: (1, ""),
        3: (1, "unended"),
        4: (1, "a"),
    }


def test_quotes_line_breaks_and_dollars_reach_the_claim_as_they_are():
    assert _codes("""test "$(printf '%s' "it's $HOME"; echo '$x')" = "it's $HOME"'$x'""", "true\nfalse") == {0: 0, 1: 1}


@pytest.mark.parametrize(
    "violence",
    [
        "kill -9 $$",
        "kill -9 $PPID",
        "kill 0",
        "kill -9 0",
        "exit 7",
        "set -e; false",
        "exec false",
        "(",
        "cat x y",
    ],
)
def test_a_claim_that_dies_does_not_hold_and_harms_no_other(violence):
    found = _codes("true", violence, "true", "false")
    assert found.pop(1, 1) != 0
    assert found == {0: 0, 2: 0, 3: 1}


def test_a_claim_that_ends_the_whole_shell_leaves_those_after_it_without_an_answer():
    shell = "kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID)); false"
    assert _codes("true", shell, "true") == {0: 0, 1: 1}


def test_a_claim_that_ends_only_what_would_tell_of_it_is_not_taken_for_the_next_one():
    teller = "kill -9 $(ps -o ppid= -p $PPID); sleep 0.1; true"
    found = _codes("false", teller, "true", "false")
    assert found.pop(1, 1) != 0
    assert found == {0: 1, 2: 0, 3: 1}


@pytest.mark.parametrize(
    "hangs", ["sleep 60", "trap '' TERM; while :; do sleep 1; done", "sleep 60 | cat", "(sleep 60)"]
)
def test_a_claim_that_hangs_is_ended_and_the_next_is_tried(hangs):
    began = time.monotonic()
    found = _codes(hangs, "true", seconds=1)
    assert time.monotonic() - began < 10
    assert found.pop(0) in {124, 137}
    assert found == {1: 0}


def test_a_claim_cannot_wait_for_anybodys_input():
    assert _codes("cat", "read line") == {0: 0, 1: 1}


def test_of_long_output_the_end_is_kept_whole_letters_only():
    found = _tried(f"printf 'ä%.0s' $(seq {OUTPUT}); false", f"seq {OUTPUT}; false", "yes | head -c 50000000")
    assert found[0].code == 1
    assert set(found[0].output) <= {"ä"}
    assert found[1].code == 1
    assert found[1].output.endswith(f"\n{OUTPUT}")
    assert len(found[1].output) < OUTPUT
    assert found[2].code == 0


def test_output_that_looks_like_another_batchs_mark_is_only_output():
    assert _tried("echo 0123456789abcdef0123456789abcdef 0 0; false")[0].code == 1


def test_no_claim_can_read_the_mark_in_an_argument_or_in_the_environment():
    text, mark = script([Check("", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; false", "")], 5)
    said = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=True, errors="replace").stdout
    assert said.count(mark) == 1
