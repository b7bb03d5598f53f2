"""Whoever looks for what a command does finds it by the command's name; and one name is one thing."""

import ast

import click
import pytest

from healthv1.cli.main import cli
from tests.unit.command import REPOSITORY

SOURCES = REPOSITORY / "healthv1"


def _walked(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _walked(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(_walked(cli))


def test_every_file_of_a_command_is_one_that_the_command_line_knows():
    kept = {"main", "options", "results", "unstarted", "demo", "onto_new_host", "__init__"}
    assert {path.stem for path in (SOURCES / "cli").glob("*.py")} - kept == {*cli.list_commands(None)}


def _functions(file):
    if not file.exists():
        return set()
    return {node.name.rstrip("_") for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_its_work_is_where_its_name_says(path):
    *groups, name = (part.replace("-", "_") for part in path)
    if not groups:
        assert name in _functions(SOURCES / f"commands/{name}.py")
    else:
        (group,) = groups
        alone = SOURCES / f"commands/{group}/{name}.py"
        assert alone.exists() or name in _functions(SOURCES / f"commands/{group}.py")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_it_is_declared_where_its_first_word_says(path):
    callback = COMMANDS[path].callback
    while hasattr(callback, "__wrapped__"):
        callback = callback.__wrapped__
    assert callback.__module__ == f"healthv1.cli.{path[0].replace('-', '_')}"


TWICE = {
    "Backend": "one protocol: settings ask it for values, healthv1.secrets says how they are kept",
    "Fault": "ours, and a schema of the API's description, which clients know by that name",
    "User": "a setting that group_data names, and a schema of the API's description",
}


def test_no_two_classes_have_one_name():
    found = {}
    for folder in ("healthv1", "deploys", "healthv1_api/src"):
        for file in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(str(file.relative_to(REPOSITORY)))
    twice = {name: files for name, files in found.items() if len(files) > 1}
    assert twice.keys() == TWICE.keys(), twice
