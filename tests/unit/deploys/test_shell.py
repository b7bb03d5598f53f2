from deploys.operations.change import Change
from deploys.operations.files import file
from deploys.operations.shell import ensure


def test_a_command_runs_once_and_only_while_its_test_fails(converge, tmp_path):
    def body():
        ensure(
            name="Make the marker",
            change=Change("marker", "x", "create"),
            test=f"test -e {tmp_path}/x",
            command=f"touch {tmp_path}/x",
        )

    assert [change.kind for change in converge(body).made] == ["marker"]
    assert converge(body).planned == []


def test_a_plan_says_what_is_there_before(converge, tmp_path):
    at = tmp_path / "mode"
    at.touch(mode=0o600)
    run = converge(
        lambda: ensure(
            name="Open",
            change=Change("file", str(at), "update", becomes="644"),
            test=f'test "$(stat -c %a {at})" = 644',
            command=f"chmod 644 {at}",
            was=f"stat -c %a {at}",
        )
    )
    assert [(change.was, change.becomes) for change in run.planned] == [("600", "644")]
    assert run.made == run.planned


def test_a_command_that_does_not_bring_about_what_it_promises_is_a_failure(converge):
    run = converge(lambda: ensure(name="Lie", change=Change("x", "x", "run"), test="false", command="true"))
    assert "it ran, yet is not true" in run.faults[0].what


def test_a_plan_foresees_that_an_earlier_change_makes_a_command_necessary(converge, tmp_path, owner):
    at = str(tmp_path / "settings")

    def body():
        file(name="Write", path=at, content=lambda: "new\n", mode="0644", **owner)
        ensure(
            name="Take it up",
            change=Change("cache", "x", "rebuild"),
            test=f'test "$(cat {tmp_path}/taken)" = "$(cat {at})"',
            command=f"cp {at} {tmp_path}/taken",
            after=(at,),
        )

    assert [change.kind for change in converge(body).planned] == ["file", "cache"]
    assert converge(body).planned == []


def test_an_exception_in_one_operation_is_a_fault_and_no_traceback(converge):
    def boom():
        raise ValueError("unforeseen")

    run = converge(lambda: file(name="Write", path="/nowhere/x", content=boom))
    assert "unforeseen" in run.faults[0].what
