"""Clusters of the owner's: one that works, with its data on another disk, and one that he stopped."""

from tests.hosts.pasts.past import Past

AS = "cd /; runuser -u postgres --"
# The old copy was left in /var/lib. No checksums: the distribution's default.
MAIN = f"""export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; apt-get -qqy install postgresql >/dev/null
V=$(ls /etc/postgresql); at=/etc/postgresql/$V/main
{AS} psql -qc 'create database clinic' -c 'create role agent login superuser'
{AS} psql -q clinic -c 'create table visit as select generate_series(1, 100) id'
systemctl stop postgresql@$V-main; mkdir -p /srv/pg; cp -a /var/lib/postgresql/$V/main /srv/pg/
sed -i "s#^data_directory.*#data_directory = '/srv/pg/main'#" $at/postgresql.conf
echo "log_min_duration_statement = 500" > $at/conf.d/owner.conf
echo "host clinic agent 198.51.100.0/24 scram-sha-256" >> $at/pg_hba.conf
systemctl start postgresql@$V-main
{AS} psql -q clinic -c 'insert into visit select generate_series(101, 5000)'
{AS} psql -qc "alter system set work_mem = '13MB'" -c 'select pg_reload_conf()' >/dev/null"""
MAIN_LOOKS = f"""V=$(ls /etc/postgresql); at=/etc/postgresql/$V/main
find $at /etc/postgresql-common/createcluster.conf -type f -exec md5sum {{}} + | sort
find $at -printf '%p %m %u %g %l\\n' | sort
pg_lsclusters -h | tr -s ' ' | grep ' main '; psql --version
{AS} psql -XqAt clinic -c 'select count(*), sum(id) from visit' -c 'select pg_postmaster_start_time()' \
  -c 'select rolname, rolsuper from pg_roles order by 1' -c 'select datname from pg_database order by 1' \
  -c 'show work_mem' -c 'show data_directory' -c 'show shared_preload_libraries'
systemctl is-active postgresql@$V-main postgresql; ls /etc/systemd/system/*/ | grep postgres | grep -v health
md5sum /srv/pg/main/postgresql.auto.conf /var/lib/postgresql/$V/main/global/pg_control /srv/pg/main/PG_VERSION
grep -c health /var/log/postgresql/postgresql-$V-main.log || true"""
STOPPED = f"""V=$(ls /etc/postgresql)
pg_createcluster $V old -p 5439 --start >/dev/null
{AS} psql -p 5439 -qc 'create table ledger as select generate_series(1, 7) id'
systemctl stop postgresql@$V-old"""
STOPPED_LOOKS = """V=$(ls /etc/postgresql)
pg_lsclusters -h | tr -s ' ' | grep ' old '; systemctl show -p ActiveState -p ActiveEnterTimestamp postgresql@$V-old
cd /var/lib/postgresql/$V/old; find . -type f -exec md5sum {} + | sort | md5sum; find /etc/postgresql/$V/old -type f \
  -exec md5sum {} +"""
BESIDE = 'stack = stack.model_copy(update={"postgresql_port": 5433})'

PASTS = [
    Past(
        "postgresql",
        "a cluster main with its data elsewhere, without checksums",
        MAIN,
        MAIN_LOOKS,
        refused=("port 5432",),
        settings=BESIDE,
        named=("17/health", "postgresql@17-health.service"),
    ),
    Past("postgresql", "a cluster that its owner stopped", STOPPED, STOPPED_LOOKS),
]
