"""A site of the firewall and SSH alone, for tests that would else wait for all the rest."""

from deploys import this_host
from deploys.operations.barrier import barrier
from deploys.sshd.deploy import deploy_sshd
from deploys.sshd.settings import Sshd
from deploys.stack import Stack
from deploys.ufw.deploy import deploy_ufw
from deploys.ufw.settings import Ufw

stack, topology = this_host.settings(Stack), this_host.topology()
deploy_ufw(settings=this_host.settings(Ufw), stack=stack, topology=topology, parts=this_host.parts(), vault=())
deploy_sshd(settings=this_host.settings(Sshd))
barrier("base")
