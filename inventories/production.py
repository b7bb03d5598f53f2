"""One server that plays every part. Copy what fits: the file's name is the environment's name.

What belongs to it besides stands in group_data/production.py: the domain, the secrets backend, who to write to.
"""

# The name of a host is ours to choose; ssh_hostname says where it is. The SSH user needs sudo without a password.
_server = ("health1", {"ssh_hostname": "203.0.113.10", "ssh_user": "admin"})

database = [_server]
api = [_server]
edge = [_server]
