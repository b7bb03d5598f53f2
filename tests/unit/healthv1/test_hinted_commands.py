"""Every `healthv1 …` that a hint, a next step or a page of the documentation names is one that can be run."""

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

from healthv1 import hints
from healthv1.cli.main import cli
from healthv1.errors import Fault
from tests.unit.command import REPOSITORY

NO_COMMAND = "was written|made it|saved |escrow 1|fingerprint|secrets,"
"""What comes behind our name where a format or a version is meant."""
# A command ends where the sentence goes on.
COMMAND = re.compile(rf"\bhealthv1 (?!{NO_COMMAND})(?=[a-z-])([^,;`\n()]*?)(?=[,;`\n()]|: | -->|$)")
OPTIONS = {
    "them": "--limit db1",
    "options": "--part edge",
    "' '.join(done.waiting)": "jwt_secret",
    "purpose": "apply word",
    "verb": "on",
    "limits": "--limit db1 ",
    "_as_file(out) if out else environment": "./plan.json",
}
"""What stands for more, or for something else, than one word of any kind."""


def _text(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return OPTIONS.get(ast.unparse(node.value), "word")
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _texts(tree):
    """Yield the texts of a module: no docstrings, and an f-string as a whole."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inner -= {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    inner |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) not in inner and isinstance(node, ast.JoinedStr | ast.Constant):
            yield node.lineno, _text(node)


def commands_in(text):
    return [found.strip() for found in COMMAND.findall(text)]


def _hinted():
    for folder in ("healthv1", "deploys"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for line, text in _texts(ast.parse(path.read_text())):
                yield from ((f"{path.relative_to(REPOSITORY)}:{line}", one) for one in commands_in(text))


def _documented():
    """Yield what stands in a block of shell: there words of the reader's own are in capitals."""
    for path in sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]):
        for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
            for line in re.findall(r"^(?:\$ )?healthv1 ([^#\n|<>]*)", block, re.MULTILINE):
                yield path.name, line.strip()


def refused(text):
    """Return why the words after `healthv1` are no command; empty when they are one."""
    words = [__file__ if word in {"FILE", "KEY", "PRIVATE_KEY"} else word for word in shlex.split(text)]
    command, name, context = cli, "healthv1", None
    try:
        while True:
            context = command.make_context(name, words, parent=context)
            if not isinstance(command, click.Group):
                return ""
            words = [*context._protected_args, *context.args]
            name, command, words = command.resolve_command(context, words)
    except click.exceptions.Exit:  # --help
        return ""
    except click.UsageError as error:
        return error.format_message()


HINTED = list(_hinted())


@pytest.mark.parametrize(("where", "command"), HINTED, ids=[f"{where} {command}" for where, command in HINTED])
def test_what_a_hint_names_can_be_run(where, command):
    # "word" stands for a value that only a run knows; what it must be is the value's own matter.
    why = refused(command)
    assert not why or "'word' is not one of" in why or "'word' does not exist" in why, f"{where}: {why}"


def test_there_are_as_many_as_one_would_think():
    assert len(HINTED) > 100
    assert {"apply ENV", "verify word", "secrets init word", "secrets export word --to KEY --out FILE"} <= {
        command for _, command in HINTED
    }


@pytest.mark.parametrize(("page", "command"), list(_documented()))
def test_what_the_documentation_shows_can_be_run(page, command):
    why = refused(command)
    assert not why or "does not exist" in why, page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secrets export production", "Missing option"),
        ("secrets export production --to KEY", "Missing option '--out'"),
        ("secrets exprot production", "No such command"),
        ("lock show", "Missing argument"),
        ("apply production --resum", "No such option"),
        ("secrets", "Usage: "),
        ("apply production extra", "unexpected extra argument"),
    ],
)
def test_what_could_not_be_run_is_noticed(text, said):
    assert said in refused(text)


def test_a_sentence_goes_on_after_a_command():
    text = "healthv1 secrets init x, then healthv1 apply x; `healthv1 lock show x` (healthv1 plan x)"
    assert commands_in(text) == ["secrets init x", "apply x", "lock show x", "plan x"]


def test_the_environment_takes_the_place_of_its_placeholder_alone():
    fault = Fault("db1", "It is so.", "run: healthv1 apply ENV; see /etc/ENVIRONMENT and $ENVS")
    assert hints.with_environment(fault, "pro-1").hint == "run: healthv1 apply pro-1; see /etc/ENVIRONMENT and $ENVS"


def test_no_hint_of_the_operators_side_leaves_an_environment_open_that_it_knows():
    """Only where claims are made, and where a file says nothing of its environment."""
    allowed = {
        "verify/canary.py",
        "verify/outside.py",
        "verify/inside.py",
        "verify/maintenance.py",
        "commands/secrets/check.py",
        "rollout/execution.py",
    }
    allowed |= {"secrets/vault/explanation.py"}
    found = {where.split(":")[0] for where, command in HINTED if "ENV" in command.split()}
    assert {where.removeprefix("healthv1/") for where in found if where.startswith("healthv1/")} <= allowed
    assert Path(REPOSITORY / "healthv1/hints.py").exists()
