"""What is imported is declared, and what pyproject.toml lists by hand is all there is."""

import ast
import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.command import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

DECLARED = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
OURS = {"deploys", "healthv1", "healthv1_api"}


def _imported(folder):
    for path in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.partition(".")[0]


def test_every_package_that_is_imported_is_declared():
    known = packages_distributions()
    imported = {name for folder in ("deploys", "healthv1") for name in _imported(folder)}
    needed = {
        canonicalize_name(known[name][0]): name for name in imported - sys.stdlib_module_names - OURS if name in known
    }
    assert {"pyinfra", "paramiko", "gevent"} <= set(needed)
    project = DECLARED["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["sandbox"]
    assert set(needed) - {canonicalize_name(Requirement(line).name) for line in lines} == set()


def test_the_components_that_may_not_import_each_other_are_all_there_are():
    (contract,) = (
        one for one in DECLARED["tool"]["importlinter"]["contracts"] if one["name"].startswith("Components do not")
    )
    assert sorted(contract["modules"]) == sorted(
        f"deploys.{path.parent.name}" for path in (REPOSITORY / "deploys").glob("*/deploy.py")
    )
