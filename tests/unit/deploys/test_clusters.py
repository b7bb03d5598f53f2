"""What is told of the clusters on a host, and what is refused beside them."""

import subprocess
from dataclasses import replace

import pytest

from deploys.cluster import Cluster
from deploys.facts.clusters import ClusterOnHost, Clusters, ClustersHere
from deploys.facts.marks import Marks
from deploys.operations.clusters import cluster_conflicts
from deploys.paths import MARKS, STAMPS

CLUSTER = Cluster(17, 5432)
PLACE = "/var/lib/postgresql/17/health"
MAIN = ClusterOnHost("17/main", 5432, "/srv/pg/main")
SHOP = ClusterOnHost("17/shop", 5433, "/var/lib/postgresql/17/shop")
OWN = ClusterOnHost("17/health", 5432, PLACE, is_ours=True)
SERVING = Clusters(own=OWN, data_path=PLACE, occupied_paths=(PLACE,), has_data=True, has_served=True)
VACANT = Clusters(data_path=PLACE)


@pytest.fixture
def host(tmp_path):
    """A host's files below a folder, and what is told of its clusters."""

    class Host:
        def write(self, path, text="x\n"):
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            return file

        def told(self, cluster=CLUSTER):
            fact = ClustersHere()
            done = subprocess.run(
                ["sh", "-c", fact.command(cluster=cluster, root=str(tmp_path))],
                capture_output=True,
                text=True,
                check=True,
            )
            lines = [line for line in done.stdout.splitlines() if not line.startswith("postmaster")]
            return fact.process(lines)

    return Host()


def test_nothing_is_told_of_a_bare_host(host, tmp_path):
    assert host.told() == Clusters(data_path=f"{tmp_path}{PLACE}")


def test_port_and_data_are_those_that_postgresql_would_read_last(host, tmp_path):
    at = "/etc/postgresql/17/main"
    host.write(
        f"{at}/postgresql.conf",
        "Data_Directory = '/nowhere'  # moved\nPORT 5000\n#port = 1\ninclude_dir 'conf.d'\ninclude = 'more/last'\n",
    )
    host.write(f"{at}/conf.d/50-owner.conf", f"port = 5439 # the owner's\ndata_directory = '{tmp_path}/srv/pg/it is'\n")
    host.write(f"{at}/conf.d/60-other.txt", "port = 1\n")
    host.write(f"{at}/more/last", "port=5438\n")
    (main,) = host.told().others
    assert main == ClusterOnHost("17/main", 5438, f"{tmp_path}/srv/pg/it is")
    host.write("/srv/pg/it is/postgresql.auto.conf", "port = '5440'\n")
    assert host.told().others[0].port == 5440


def test_a_configuration_that_includes_itself_ends(host):
    host.write("/etc/postgresql/17/main/postgresql.conf", "port = 5441\ninclude 'postgresql.conf'\n")
    assert host.told().others[0].port == 5441


def test_links_are_followed_and_ours_is_told_from_the_others(host, tmp_path):
    host.write(f"/etc/postgresql/17/health/{'postgresql.conf'}", f"data_directory = '{tmp_path}{PLACE}'\n")
    host.write("/srv/pg/health/global/pg_control")
    (tmp_path / PLACE.lstrip("/")).parent.mkdir(parents=True)
    (tmp_path / PLACE.lstrip("/")).symlink_to(tmp_path / "srv/pg/health")
    host.write(CLUSTER.served_marker)
    there = host.told()
    real = f"{tmp_path}/srv/pg/health"
    assert there.own == ClusterOnHost("17/health", 5432, real, is_ours=True)
    assert (there.data_path, there.has_data, there.has_served, there.others) == (real, True, True, ())
    assert there.occupied_paths == (f"{tmp_path}{PLACE}", f"{tmp_path}{CLUSTER.configuration}")


def test_a_cluster_of_another_version_that_served_us_is_told(host):
    host.write("/etc/postgresql/15/main/postgresql.conf", "port = 5432\n")
    host.write(f"{STAMPS}/postgresql@15-main.service.restart")
    assert host.told(Cluster(17, 5432, "main")).others == (ClusterOnHost("15/main", 5432, is_ours=True),)


def _refused(there, *, ours=False, memory=2.0, cluster=CLUSTER):
    return {one.thing: one for one in cluster_conflicts(cluster, there, ours=ours, memory=memory)}


def test_nothing_is_refused_where_ours_stands_alone_or_nothing_stands():
    assert not _refused(VACANT, memory=None)
    assert not _refused(SERVING, ours=True, memory=None)
    assert not _refused(replace(SERVING, has_served=False), ours=True, memory=None), "made, and never started"


def test_a_port_that_others_are_configured_for_is_refused_with_their_names_and_one_that_is_free():
    other = replace(MAIN, name="15/old")
    refused = _refused(replace(VACANT, others=(MAIN, other, SHOP)))["port 5432"]
    assert refused.what.startswith("Cluster 17/main and cluster 15/old of the host's owner")
    assert "such as 5434," in refused.way_out
    assert not refused.adoptable
    assert not _refused(replace(VACANT, others=(MAIN, SHOP)), cluster=Cluster(17, 5434))


def test_memory_is_asked_for_beside_others_before_ours_has_served():
    refused = _refused(replace(VACANT, others=(SHOP, ClusterOnHost("", data="/opt/pg"))), memory=None)
    assert refused.keys() == {"memory"}
    assert "Cluster 17/shop and the server in /opt/pg" in refused["memory"].what
    assert not _refused(replace(VACANT, others=(SHOP,)), memory=1)
    assert not _refused(replace(SERVING, others=(SHOP,)), ours=True, memory=None), "it took what it takes"


def test_what_bears_the_name_of_ours_without_our_mark_is_refused():
    assert _refused(replace(SERVING, has_served=False)).keys() == {"cluster 17/health"}
    assert _refused(replace(VACANT, occupied_paths=(PLACE,))).keys() == {"cluster 17/health"}
    assert not _refused(replace(VACANT, occupied_paths=(PLACE,)), ours=True), "half made"


@pytest.mark.parametrize("moved", [{"own": replace(OWN, data="/srv/pg")}, {"running_data": "/srv/pg"}])
def test_moved_data_are_refused_with_a_link_as_the_way_out(moved):
    refused = _refused(replace(SERVING, **moved), ours=True)["cluster 17/health"]
    assert f"put a link to /srv/pg in the place of {PLACE}" in refused.way_out
    assert not _refused(replace(SERVING, running_data=PLACE), ours=True)


def test_data_that_served_and_are_away_are_not_begun_anew():
    assert "mount or restore" in _refused(replace(SERVING, has_data=False), ours=True)["cluster 17/health"].way_out


def test_a_former_release_of_the_hosts_left_a_cluster_that_is_brought_over():
    former = ClusterOnHost("15/main", 5432, "/var/lib/postgresql/15/main", is_ours=True)
    main = Cluster(17, 5432, "main")
    assert _refused(replace(VACANT, others=(former,)), ours=True, memory=None, cluster=main).keys() == {
        "cluster 15/main"
    }
    there = replace(SERVING, own=replace(OWN, name="17/main"), others=(replace(former, port=5433),))
    assert not _refused(there, ours=True, memory=None, cluster=main)


def test_what_needs_the_cluster_starts_after_what_it_started_after_so_far():
    assert [Cluster(17, 5432, name).start_unit for name in ("health", "main")] == [
        "postgresql@17-health.service",
        "postgresql.service",
    ]


@pytest.mark.parametrize("there", ["health", "main", ""])
def test_nothing_is_asked_of_a_cluster_that_is_not_ours(tmp_path, there):
    (tmp_path / "lock").write_text(f"1\n{tmp_path}/{there}\n" if there else "")
    (tmp_path / "health").mkdir()
    (tmp_path / "main").mkdir()
    asked = CLUSTER.sql("select 1").replace("/var/run/postgresql/.s.PGSQL.5432.lock", f"{tmp_path}/lock")
    asked = asked.replace(f" {CLUSTER.data} ", f" {tmp_path}/health ").replace(CLUSTER.as_postgres, "echo asked")
    done = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("asked") == (there == "health")
    assert (done.returncode == 0) == (there == "health")


def test_a_cluster_is_ours_by_its_mark_its_stamp_or_its_first_line(host, tmp_path):
    def marks():
        script = Marks().command()
        for path in (STAMPS, MARKS, "/etc/postgresql"):
            script = script.replace(path, f"{tmp_path}{path}")
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return Marks().process(done.stdout.splitlines()).get("cluster")

    host.write("/etc/postgresql/17/shop/conf.d/owner.conf", "port = 1\n")
    host.write("/var/lib/health-v1/postgresql.unfinished", "")
    assert marks() is None, "who was about to make one, made none"
    host.write("/etc/postgresql/17/main/conf.d/zz-health-v1-restart.conf", "# Managed by healthv1: x\n")
    assert marks() == "main"
    host.write(f"{STAMPS}/postgresql@17-other.service.restart")
    assert marks() == "other"
    host.write(f"{MARKS}/cluster", "health\n")
    assert marks() == "health"
