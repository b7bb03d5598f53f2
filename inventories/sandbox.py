"""The sandbox that runs on this machine: made by `healthv1 sandbox up`."""

from healthv1 import sandbox

_running = sandbox.load()
_data = {
    host.name: {
        "ssh_hostname": host.address,
        "address6": host.address6,
        "ssh_user": host.user,
        "ssh_key": host.ssh_key,
        "ssh_known_hosts_file": host.known_hosts,
    }
    for host in _running.hosts
}
_hosts = [(host.name, _data[host.name]) for host in _running.deployed]

# One host plays every part; of two, the first is the database.
database = _hosts[:1]
api = _hosts[-1:]
edge = _hosts[-1:]
drill = [(host.name, _data[host.name]) for host in _running.playing("drill")]
