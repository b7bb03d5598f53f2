"""Many facts in one script say exactly what each says alone."""

import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st

from healthv1.engine.questions import Question, alike, answers, script, shares

WORDS = st.lists(st.text(alphabet="ab'\"\\$ `\n%", max_size=8), min_size=1, max_size=4)


def _sh(command, stdin=None):
    return subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, text=True, check=False)


def _lines(text):
    return [line.rstrip("\n") for line in text.splitlines(keepends=True)]


@settings(max_examples=30, deadline=None)
@given(WORDS)
@example(["", "\n", "a\n", "a\n\n", "no line break at its end", "%s", "'"])
def test_a_batch_answers_as_each_question_does_alone(words):
    questions = [Question(f"printf %s {_quoted(word)}", "") for word in dict.fromkeys(words)]
    text, mark = script(questions)
    found = list(answers(_lines(_sh("sh -s", text).stdout), mark))
    alone = [_sh(question.command).stdout for question in questions]
    assert [(succeeded, output.stdout_lines) for succeeded, output in found] == [(True, _lines(one)) for one in alone]


def test_a_question_that_fails_or_ends_its_shell_is_told_apart_and_harms_no_other():
    questions = [Question(command, "") for command in ("echo one; exit 3", "cat; echo two", "set -e; false", "kill $$")]
    text, mark = script(questions)
    found = [(ok, output.stdout_lines) for ok, output in answers(_lines(_sh("sh -s", text).stdout), mark)]
    assert found == [(False, ["one"]), (True, ["two"]), (False, []), (False, [])]


def test_output_that_looks_like_another_batchs_mark_is_only_output():
    text, mark = script([Question("echo 0123456789abcdef0123456789abcdef 0", "")])
    assert [output.stdout_lines for _, output in answers(_lines(_sh("sh -s", text).stdout), mark)] == [
        ["0123456789abcdef0123456789abcdef 0"]
    ]


def test_only_questions_with_the_same_privileges_share_a_script():
    root, other = "root", "postgres"
    asked = [Question("a", root), Question("b", other), Question("c", root), Question("a", root)]
    groups = sorted([sorted(question.command for question in group) for group in alike(asked)])
    assert groups == [["a", "c"], ["b"]]


def _quoted(word):
    return "'" + word.replace("'", "'\\''") + "'"


def test_shares_hold_every_question_once_and_take_about_as_long():
    asked = [Question("x" * length, "") for length in range(1, 61)]
    parts = shares(asked, 3)
    assert sorted(len(one.command) for part in parts for one in part) == list(range(1, 61))
    lengths = [sum(len(one.command) for one in part) for part in parts]
    assert max(lengths) - min(lengths) <= 2


def test_a_few_questions_are_not_worth_more_than_one_channel():
    assert len(shares([Question("a", ""), Question("b", "")], 3)) == 1
