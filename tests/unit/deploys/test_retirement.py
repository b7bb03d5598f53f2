"""What goes when a host leaves: the file, and whatever a killed write left beside it, and nothing else."""

from deploys.operations.retirement import remove_path


def _remove(path):
    return lambda: remove_path(name="Remove", path=str(path))


def test_a_secret_goes_with_what_killed_writes_left_of_it(converge, tmp_path):
    path, other = tmp_path / "it's .env", tmp_path / "theirs"
    for one in (path, other, tmp_path / "it's .env.new"):
        one.write_text("x")
    (tmp_path / ".healthv1.AbCdEf12").mkdir()
    (tmp_path / ".healthv1.AbCdEf12/it's .env").write_text("x")
    run = converge(_remove(path))
    assert (run.faults, [(one.target, one.action) for one in run.made]) == ((), [(str(path), "remove")])
    assert [one.name for one in tmp_path.iterdir()] == ["theirs"]
    assert converge(_remove(path)).planned == []


def test_what_a_killed_write_left_is_found_also_when_the_file_is_gone(converge, tmp_path):
    (tmp_path / ".healthv1.AbCdEf12").mkdir()
    assert len(converge(_remove(tmp_path / ".env")).made) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_nowhere_goes_and_what_a_link_leads_to_stays(converge, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name, target in (("dangling", "nowhere"), ("leading", theirs)):
        (tmp_path / name).symlink_to(target)
        assert len(converge(_remove(tmp_path / name)).made) == 1
        assert not (tmp_path / name).is_symlink()
    assert theirs.is_dir()
