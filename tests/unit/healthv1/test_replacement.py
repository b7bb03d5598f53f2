"""A file is replaced whole; who writes another one at the same moment keeps it."""

import os
import time
from pathlib import Path

from healthv1.workspace.atomic_files import replace


def test_another_process_that_writes_just_now_keeps_its_file_and_what_a_killed_one_left_goes(tmp_path):
    path = tmp_path / "plan.json"
    young, old = (tmp_path / f".plan.json.{name}.new" for name in ("young", "old"))
    for beside in (young, old):
        beside.write_text("half")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    replace(path, "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".plan.json.young.new", "plan.json"]
    assert path.read_text() == "whole"


def test_a_text_is_on_the_disk_before_it_takes_the_old_ones_place_and_so_is_its_name_afterwards(tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda file: (done.append(str(Path(f"/proc/self/fd/{file}").readlink())), fsync(file))
    )
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("renamed"), rename(*paths)))
    replace(tmp_path / "plan.json", "whole")
    text, *rest = done
    assert text.startswith(f"{tmp_path}/.plan.json.")
    assert rest == ["renamed", str(tmp_path)]
