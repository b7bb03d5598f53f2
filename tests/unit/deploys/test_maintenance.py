"""What ends a maintenance by itself: the script of the service, run here."""

import subprocess
import time

import pytest

from deploys.component import template
from deploys.nginx.checks import checks
from deploys.nginx.limits import checks as limit_checks
from deploys.nginx.places import own_place
from deploys.nginx.settings import Nginx
from deploys.paths import CLOSED, FOLDER
from deploys.stack import Stack
from tests.unit.command import REPOSITORY


@pytest.fixture
def host(tmp_path):
    class Host:
        closed = tmp_path / "on"

        def close(self, until):
            (tmp_path / "noted").mkdir()
            (tmp_path / "noted/record").write_text(f"until={until}\nmessage=until=0\n")
            self.closed.symlink_to("noted")

        def wait(self, seconds):
            """Return whether it came to its end within so many seconds."""
            text = template(
                "nginx/health-v1-maintenance", settings=Nginx(), folder=tmp_path, closed=self.closed, script=""
            )()
            argv = ["timeout", str(seconds), "sh", "-s", "--", "--end"]
            done = subprocess.run(argv, input=text.replace("sleep 5", "sleep 0.1"), text=True, check=False)
            assert done.returncode in {0, 124}
            return done.returncode == 0

    return Host()


def test_one_whose_time_is_over_ends(host):
    host.close(int(time.time()) - 1)
    assert host.wait(10)
    assert not host.closed.is_symlink()


def test_one_that_was_ended_by_hand_needs_no_more(host):
    assert host.wait(10)


@pytest.mark.parametrize("until", ["", "soon", int(time.time()) + 3600], ids=["empty", "no number", "later"])
def test_one_stays_on_whose_time_is_not_over_or_cannot_be_read(host, until):
    host.close(until)
    assert not host.wait(0.5)
    assert host.closed.is_symlink()


def test_what_a_maintenance_would_fail_is_claimed_of_the_configuration_meanwhile():
    settings, stack = Nginx(), Stack(domain="api.example.com")
    for check in limit_checks(settings, stack, own_place(ipv6=True)):
        assert check.command.startswith(f"if [ -e {CLOSED} ]; then\nnginx -T"), check.claim
    assert {"Nginx sees whether a maintenance is on", "A maintenance ends by itself"} <= {
        check.claim for check in checks(settings, stack, "0", "www-data")
    }


def test_nobody_sets_the_mode_of_our_folder_once_it_is_there():
    """With 0700 Nginx's workers would not see that a maintenance is on, and let visitors in."""
    sources = [path for name in ("deploys", "healthv1") for path in (REPOSITORY / name).rglob("*.py")]
    setting = ("install -d -m 0700 {FOLDER}", "chmod 0700 {FOLDER}", 'RECORD.rpartition("/")')
    places = {(path.name, one) for path in sources for one in setting if one in path.read_text()}
    assert FOLDER
    # Where it is made. Where what lay elsewhere moves into it, test_one_folder.py sees that it stays as it was.
    assert places == {("last_apply.py", setting[0])}
    assert "[ -d {FOLDER} ] || install" in (REPOSITORY / "healthv1/rollout/last_apply.py").read_text()
