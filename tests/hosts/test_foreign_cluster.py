"""A cluster of ours whose data were moved. One of an owner's beside ours: test_brownfield.py."""

from tests.hosts.pasts.postgresql import AS

MOVED = f"""systemctl stop postgresql@17-health; mkdir -p /srv/pg; cp -a /var/lib/postgresql/17/health /srv/pg/
sed -i "s#^data_directory.*#data_directory = '/srv/pg/health'#" /etc/postgresql/17/health/postgresql.conf
systemctl start postgresql@17-health
{AS} psql -q health_v1_prod -c 'create table public.more as select generate_series(1, 50) id'"""
ROWS = (
    f"{AS} psql -XqAt health_v1_prod -c 'select count(*) from public.more' -c 'select id from health.users order by 1'"
)


def test_data_of_ours_that_were_moved_are_neither_left_behind_nor_served_from_the_old_copy(broken):
    broken.shell(MOVED)
    before = broken.shell(ROWS)
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
        code, document = broken.json(*command)
        assert (code, document.get("steps", [])) == (1, [])
        (fault,) = document["faults"]
        assert fault["where"] == "host1: cluster 17/health"
        assert "put a link to /srv/pg/health in the place of /var/lib/postgresql/17/health" in fault["hint"]
    assert broken.shell(ROWS) == before
    broken.shell("cd /var/lib/postgresql/17; rm -r health; ln -s /srv/pg/health health")
    assert "-data_directory = '/srv/pg/health'" in broken.cli("plan", "sandbox").stdout
    broken.must("apply", "sandbox", "--yes")
    assert broken.shell(ROWS) == before
    assert broken.json("plan", "sandbox")[1]["steps"] == []
    assert broken.must("verify", "sandbox")
