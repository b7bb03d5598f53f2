"""Several servers on a private network: the database alone, two API hosts, one edge host, one for monitoring.

`private_address` is where the other hosts reach a host; the firewall opens only what they need between them.
"""

database = [("db1", {"ssh_hostname": "203.0.113.20", "private_address": "10.20.0.20", "ssh_user": "admin"})]
api = [
    ("api1", {"ssh_hostname": "203.0.113.21", "private_address": "10.20.0.21", "ssh_user": "admin"}),
    ("api2", {"ssh_hostname": "203.0.113.22", "private_address": "10.20.0.22", "ssh_user": "admin"}),
]
edge = [("edge1", {"ssh_hostname": "203.0.113.23", "private_address": "10.20.0.23", "ssh_user": "admin"})]
monitoring = [("mon1", {"ssh_hostname": "203.0.113.24", "private_address": "10.20.0.24", "ssh_user": "admin"})]
