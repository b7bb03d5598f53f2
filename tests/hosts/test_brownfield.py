"""A host that had a life before us: all of it is named before anything is changed, and none of it is lost."""

import pytest

from tests.hosts.pasts import PASTS
from tests.hosts.world import World


@pytest.fixture
def lived_in():
    """A host on which its owner has done all of it."""
    with World("test-past").for_a_while() as world:
        world.up()
        for past in PASTS:
            world.shell(past.script)
        yield world


def _seen(world):
    return {str(past): world.shell(past.looks) for past in PASTS}


@pytest.mark.long
def test_what_a_host_held_is_named_and_outlives_a_refused_an_agreed_and_a_second_apply(lived_in, project, subtests):
    before = _seen(lived_in)
    code, plan = lived_in.json("plan", "sandbox", cwd=project)
    things = {fault["where"].partition(": ")[2] for fault in plan["faults"]}
    for past in PASTS:
        with subtests.test(f"{past} is refused"):
            assert set(past.refused) <= things
    assert things == {thing for past in PASTS for thing in past.refused}, "nothing else is refused"
    assert code == 1
    refused = lived_in.cli("apply", "sandbox", "--yes", cwd=project)
    assert refused.returncode == 1
    assert "Nothing was changed" in refused.stderr or not plan["hosts"]
    _is_as_it_was(before, lived_in, subtests, "a refused apply")

    settings = project / "group_data/sandbox.py"
    adopt = tuple(thing for past in PASTS for thing in past.adopts)
    lines = [past.settings for past in PASTS] + [f'stack = stack.model_copy(update={{"adopt": {adopt}}})']
    settings.write_text(settings.read_text() + "\n".join(["", *lines, ""]))
    code, plan = lived_in.json("plan", "sandbox", cwd=project)
    assert (code, plan["faults"]) == (2, [])
    targets = {change["target"] for step in plan["steps"] for change in step["changes"]}
    for past in PASTS:
        with subtests.test(f"{past} is named"):
            assert set(past.named) <= targets
    lived_in.must("apply", "sandbox", "--yes", cwd=project)
    _is_as_it_was(before, lived_in, subtests, "an apply")
    code, again = lived_in.json("apply", "sandbox", "--yes", cwd=project)
    assert (code, again["steps"]) == (0, [])
    code, report = lived_in.json("verify", "sandbox", cwd=project)
    assert code == 0, [finding for finding in report["findings"] if not finding["holds"]]
    _is_as_it_was(before, lived_in, subtests, "a second apply, and verify")


def _is_as_it_was(before, world, subtests, after):
    now = _seen(world)
    for past, seen in before.items():
        with subtests.test(f"{past} after {after}"):
            assert now[past] == seen
