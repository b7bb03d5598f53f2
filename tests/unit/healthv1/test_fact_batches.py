"""Many facts in one script say exactly what each says alone."""

import hashlib
import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st

from deploys.facts.path import PathState
from healthv1.hosts import connector
from healthv1.hosts.fact_batches import Question, answers, balanced_parts, grouped_by_privileges, merged_queries, script

WORDS = st.lists(st.text(alphabet="ab'\"\\$ `\n%", max_size=8), min_size=1, max_size=4)


def _sh(command, stdin=None):
    return subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, text=True, check=False)


def _lines(text):
    return [line.rstrip("\n") for line in text.splitlines(keepends=True)]


def _ask(*questions):
    """Return what a shell printed for each question that succeeded, by its command."""
    asked = merged_queries(questions)
    text, mark = script(asked)
    found = answers(asked, _lines(_sh("sh -s", text).stdout), mark)
    return {question.command: output.stdout_lines for question, output in found}


@settings(max_examples=30, deadline=None)
@given(WORDS)
@example(["", "\n", "a\n", "a\n\n", "no line break at its end", "%s", "'"])
def test_a_batch_answers_as_each_question_does_alone(words):
    commands = [f"printf %s {_quoted(word)}" for word in words]
    found = _ask(*(Question(command, "") for command in commands))
    assert found == {command: _lines(_sh(command).stdout) for command in commands}


def test_a_question_that_fails_or_ends_its_shell_is_told_apart_and_harms_no_other():
    commands = ("echo one; exit 3", "cat; echo two", "set -e; false", "echo 'cut short", "p=1; cd /; exit 0", "pwd")
    here = _sh("pwd").stdout.rstrip()
    assert _ask(*(Question(command, "") for command in commands)) == {
        "cat; echo two": ["two"],
        "p=1; cd /; exit 0": [],
        "pwd": [here],
    }


def test_output_that_looks_like_another_batchs_mark_is_only_output():
    assert list(_ask(Question("echo 0123456789abcdef0123456789abcdef 0", "")).values()) == [
        ["0123456789abcdef0123456789abcdef 0"]
    ]


def test_what_is_asked_of_many_paths_at_once_is_what_each_path_answers_alone(tmp_path):
    (tmp_path / "a file").write_text("text")
    (tmp_path / r"srv-a\x2db.mount").write_text("")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "it's").symlink_to("a file")
    (tmp_path / "dangling").symlink_to("nowhere")
    fact = PathState()
    names = ("a file", r"srv-a\x2db.mount", "empty", "folder", "it's", "dangling", "absent", "a")
    questions = {name: Question.of(fact.command(f"{tmp_path}/{name}"), {}) for name in names}
    assert len(merged_queries(questions.values())) == 1
    found = _ask(*questions.values())
    alone = {name: _lines(_sh(question.command).stdout) for name, question in questions.items()}
    assert {name: found[question.command] for name, question in questions.items()} == alone
    said = {name: fact.process(lines) for name, lines in alone.items() if lines}
    assert {name: (path.kind, path.content) for name, path in said.items()} == {
        "a file": ("regular file", hashlib.sha256(b"text").hexdigest()),
        r"srv-a\x2db.mount": ("regular file", hashlib.sha256(b"").hexdigest()),
        "empty": ("regular file", hashlib.sha256(b"").hexdigest()),
        "folder": ("directory", ""),
        "it's": ("symbolic link", "a file"),
        "dangling": ("symbolic link", "nowhere"),
    }


def test_only_questions_with_the_same_privileges_share_a_script():
    root, other = "root", "postgres"
    asked = [Question("a", root), Question("b", other), Question("c", root), Question("a", root)]
    groups = sorted([sorted(question.command for question in group) for group in grouped_by_privileges(asked)])
    assert groups == [["a", "c"], ["b"]]


def _quoted(word):
    return "'" + word.replace("'", "'\\''") + "'"


def test_shares_hold_every_command_once_and_take_about_as_long():
    asked = merged_queries(Question("x" * length, "") for length in range(1, 61))
    parts = balanced_parts(asked, 3)
    assert sorted(len(one.command) for part in parts for one in part) == list(range(1, 61))
    lengths = [sum(len(one.command) for one in part) for part in parts]
    assert max(lengths) - min(lengths) <= 2


def test_a_few_commands_are_not_worth_more_than_one_channel():
    assert len(balanced_parts(merged_queries([Question("a", ""), Question("b", "")]), 3)) == 1


def test_a_host_is_asked_in_one_language_whatever_its_own_and_what_else_is_set_stays():
    assert connector._with_c_locale({"_sudo": True})["_env"] == {"LC_ALL": "C.UTF-8"}
    assert connector._with_c_locale({"_env": {"A": "b"}})["_env"] == {"LC_ALL": "C.UTF-8", "A": "b"}
