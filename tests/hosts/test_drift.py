"""Whatever is broken by hand is named by a plan or by verify, and an apply mends exactly that."""

import pytest

# What is broken; how; the component and a word that a plan or a finding must name; whether a plan sees it.
DRIFTS = [
    ("a stopped instance", "systemctl stop health-v1-api@8080", "API", "health-v1-api@8080"),
    ("a disabled unit", "systemctl disable pgbouncer", "PgBouncer", "pgbouncer"),
    ("a hand-edited nginx.conf", "echo '# edited' >> /etc/nginx/nginx.conf", "Nginx", "/etc/nginx/nginx.conf"),
    ("a dropped firewall rule", "ufw delete allow 443/tcp", "Firewall", "443"),
    ("a firewall that is off", "ufw disable", "Firewall", "ufw"),
    (
        "a changed PostgreSQL setting",
        "runuser -u postgres -- psql -qc \"alter system set work_mem = '1MB'\"",
        "PostgreSQL",
        "work_mem",
    ),
    ("a world-readable .env", "chmod 644 /opt/health-v1/.env", "Environment", "/opt/health-v1/.env"),
    ("a changed secret file", "sed -i s/JWT/XWT/ /opt/health-v1/.env", "Environment", "/opt/health-v1/.env"),
    ("an account with a password", "echo health-v1:drift | chpasswd", "User", "health-v1"),
    (
        "a powerful role",
        "runuser -u postgres -- psql -qc 'alter role health_user superuser'",
        "PostgreSQL",
        "health_user",
    ),
    (
        "a login that nobody accepts",
        'runuser -u postgres -- psql -qc "create role health_user_b login in role health_user"',
        "PostgreSQL",
        "health_user_b",
    ),
    (
        "a role that logs in beside its members",
        "runuser -u postgres -- psql -qc \"alter role health_user login password 'x'\"",
        "PostgreSQL",
        "health_user",
    ),
    ("a release that is not chosen", "ln -sfn releases/none /opt/health-v1/current", "API", "/opt/health-v1/current"),
    ("a removed package", "DEBIAN_FRONTEND=noninteractive apt-get -qq remove fail2ban", "Fail2ban", "fail2ban"),
    ("an open redis", "sed -i '/user default/d' /etc/redis/*.acl; systemctl restart redis-server", "Redis", "redis"),
]


@pytest.mark.parametrize(("drift", "command", "component", "word"), DRIFTS, ids=[drift[0] for drift in DRIFTS])
def test_drift_is_named_and_mended_and_nothing_else_is_touched(mended, drift, command, component, word):
    mended.shell(command)
    code, plan = mended.json("plan", "sandbox")
    assert code == 2, plan
    named = [step for step in plan["steps"] if step["component"] == component]
    assert any(word in change["target"] + change["why"] for step in named for change in step["changes"]), plan["steps"]
    code, applied = mended.json("apply", "sandbox", "--yes")
    assert code == 0, applied["faults"]
    assert _what(applied["steps"]) == _what(plan["steps"]), "the plan and the apply differ"
    assert {step["component"] for step in applied["steps"]} <= {component, *FOLLOWERS.get(drift, ())}
    assert mended.json("plan", "sandbox")[1]["steps"] == []
    code, report = mended.json("verify", "sandbox")
    assert code == 0, [one for one in report["findings"] if not one["holds"]]


# Components whose services have to take the mended thing up.
FOLLOWERS = {
    "a world-readable .env": set(),
    "a changed secret file": {"API"},
}


def _what(steps):
    return [
        (step["host"], step["component"], step["operation"], change["kind"], change["target"], change["action"])
        for step in steps
        for change in step["changes"]
    ]


BREAKAGES = [
    ("the database is down", "systemctl stop 'postgresql@*.service'", "postgresql"),
    ("the pooler is down", "systemctl stop pgbouncer", "pgbouncer"),
    ("redis is down", "systemctl stop redis-server", "redis"),
    ("nginx is down", "systemctl stop nginx", "outside"),
    ("fail2ban is down", "systemctl stop fail2ban", "fail2ban"),
    ("the kernel has lost the firewall's rules", "nft flush ruleset", "ufw"),
    (
        "a port is open that nobody allowed",
        "ufw allow 9999/tcp; systemd-run -u open python3 -m http.server 9999",
        "outside",
    ),
]


@pytest.mark.parametrize(("breakage", "command", "component"), BREAKAGES, ids=[one[0] for one in BREAKAGES])
def test_verify_names_what_is_broken(mended, breakage, command, component):
    mended.shell(command)
    code, report = mended.json("verify", "sandbox")
    assert code == 1
    false = {one["component"] for one in report["findings"] if not one["holds"]}
    assert component in false, (breakage, false)
    mended.must("apply", "sandbox", "--yes")
