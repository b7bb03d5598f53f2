"""Several drifts at a time. `make test` deals each once, to a few companies of different components.

`make fuzz` draws them until each pair that can stand together has been together.
"""

from itertools import combinations

from tests.hosts.drifts import APT, DRIFTS

AT_ONCE = 5
DOWN = "postgresql: a cluster that is down and does not start with the host"
PURGED = "the package is gone, and what the other drift needs went with it"
NO_UNIT = "without its unit there is no other instance"
HIDING = {
    DOWN,
    "api: a release that lost a file, and another chosen",
    "environment: a directory in the way",
    "environment: an empty file, readable for everybody",
    "postgresql: a login with another password",
    "user: an account that was removed and comes again",
}
"""Behind these is what no plan can see, such as whether a migration is due: an apply stops there, and says so."""

# Pairs of which the second undoes, or cannot do, what the first one does, whichever comes first.
EXCLUSIVE = {
    ("ufw: a purged firewall", "ufw: a masked firewall"): PURGED,
    ("ufw: a purged firewall", "ufw: a rule that the kernel alone has lost"): PURGED,
    ("ufw: a purged firewall", "ufw: rules that anybody may write"): PURGED,
    ("ufw: a purged firewall", "ufw: a port that somebody opened, and one that is refused ahead of ufw"): PURGED,
    ("fail2ban: a removed package", "fail2ban: a jail that is off"): PURGED,
    ("fail2ban: a removed package", "fail2ban: a unit that is masked and stopped"): PURGED,
    ("redis: a purged package", "redis: the distribution's, set to start with the host"): PURGED,
    ("redis: a purged package", "redis: a door without a password"): PURGED,
    ("nginx: a purged package", "nginx: a hand-edited nginx.conf that was taken up"): PURGED,
    ("nginx: a purged package", "nginx: the package's own site, enabled again"): PURGED,
    ("api: an instance on another port", "api: an instance on another port that failed"): "it runs, or it failed",
    ("api: a unit that is gone", "api: an instance on another port"): NO_UNIT,
    ("api: a unit that is gone", "api: an instance on another port that failed"): NO_UNIT,
    (
        "user: an account that was removed and comes again",
        "user: another home, shell and group, and a password",
    ): "there is no account",
    (
        "nginx: a certificate that is none",
        "certbot: another certificate in its place, and nothing renews ours",
    ): "one of them is in the other's place",
    ("certbot: no certificate, and nothing of certbot's", "certbot: half of what certbot keeps"): "there is no half",
}


def dealt(drifts):
    """Return companies, lists of drifts, with each drift in one: what others would hide behind is by itself."""
    companies = []
    for drift in drifts:
        fitting = (company for company in companies if _fits(drift, company))
        if company := next(fitting, None):
            company.append(drift)
        else:
            companies.append([drift])
    return [in_order(company) for company in companies]


def _fits(drift, company):
    """A change of its own component names a drift: no two of one are in a company, lest one answer for the other."""
    return (
        len(company) < AT_ONCE
        and not {str(drift), *map(str, company)} & HIDING
        and drift.component not in {one.component for one in company}
        and not any(_exclude(str(drift), str(one)) for one in company)
    )


def drawn(chance):
    """Return draws, lists of drifts, of which each pair that is not exclusive is in at least one."""
    left = {pair for pair in map(frozenset, combinations(map(str, DRIFTS), 2)) if not _exclude(*pair)}
    draws = []
    while left:
        draw = sorted(chance.choice(sorted(map(sorted, left))))
        while len(draw) < AT_ONCE:
            beside = [str(one) for one in DRIFTS if not any(str(one) == has or _exclude(str(one), has) for has in draw)]
            news = {one: sum(frozenset({one, has}) in left for has in draw) for one in beside}
            best = max(news.values(), default=0)
            if not best:
                break
            draw.append(chance.choice([one for one, new in news.items() if new == best]))
        left -= set(map(frozenset, combinations(draw, 2)))
        draws.append(in_order([drift for drift in DRIFTS if str(drift) in draw]))
    return draws


def in_order(drifts):
    """Return them as they can be made one after the other."""

    def late(drift):
        if "has not read" in drift.name:  # whatever else has systemd read it
            return 3
        # apt would finish what was cut short; and who asks the database needs one that is up
        return 2 if str(drift) == DOWN else APT not in drift.command

    return sorted(drifts, key=late)


def _exclude(one, other):
    return (one, other) in EXCLUSIVE or (other, one) in EXCLUSIVE
