"""A site of the firewall and SSH alone, for tests that would else wait for all the rest."""

from deploys import here
from deploys.operations.barrier import barrier
from deploys.sshd.deploy import deploy_sshd
from deploys.sshd.settings import Sshd
from deploys.stack import Stack
from deploys.ufw.deploy import deploy_ufw
from deploys.ufw.settings import Ufw

stack, topology = here.settings(Stack), here.topology()
deploy_ufw(settings=here.settings(Ufw), stack=stack, topology=topology, parts=here.parts(), vault=())
deploy_sshd(settings=here.settings(Sshd))
barrier("base")
