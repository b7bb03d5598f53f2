"""A host whose owner filters by hand, as the images of some clouds do, with chains of other programs beside."""

from tests.hosts.pasts.past import Past

PASTS = [
    Past(
        component="ufw",
        name="rules of the owner's that end in REJECT",
        script="""command -v iptables >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get -qqy install iptables >&2
iptables -N DOCKER-USER; iptables -A DOCKER-USER -s 192.0.2.7/32 -j DROP; iptables -A DOCKER-USER -j RETURN
iptables -A FORWARD -j DOCKER-USER
iptables -t nat -A PREROUTING -p tcp --dport 7777 -j REDIRECT --to-ports 7778
iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -p icmp -j ACCEPT
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -p tcp -m state --state NEW -m multiport --dports 22,80,443 -j ACCEPT
iptables -A INPUT -p tcp --dport 9000 -j ACCEPT
iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited""",
        looks="""iptables -S DOCKER-USER; iptables -S FORWARD | grep DOCKER; iptables -t nat -S PREROUTING""",
        refused=("firewall rules",),
        adopts=("firewall rules",),
        named=("INPUT -j REJECT --reject-with icmp-host-prohibited", "INPUT -p tcp --dport 9000 -j ACCEPT"),
    ),
]
