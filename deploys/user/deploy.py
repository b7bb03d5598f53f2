"""A system account without a password, and its home under /opt."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.operations.accounts import account, refuse_foreign_account, refuse_foreign_home
from deploys.operations.claims import claim
from deploys.operations.files import directory
from deploys.stack import Stack
from deploys.user.checks import checks
from deploys.user.settings import User


@deploy("User")
def deploy_user(settings: User, stack: Stack) -> None:
    refuse_foreign_home(name="See that the home is nobody else's", home=stack.home)
    refuse_foreign_account(name="See that the account is nobody else's", account=stack.user, home=stack.home)
    account(name="Create the deployment account", account=stack.user, home=stack.home, shell=settings.shell)
    # root owns the home: the API may write its data, never its own code or settings.
    directory(name="Create the home", path=stack.home, mode="0755", ours=True)
    for sub in host.loop(settings.owned):
        directory(
            name=f"Create {sub}",
            path=f"{stack.home}/{sub}",
            mode="0750",
            user=stack.user,
            group=stack.user,
            ours=True,
        )
    for sub in host.loop(settings.shared):
        directory(name=f"Create {sub}", path=f"{stack.home}/{sub}", mode="0755", ours=True)
    claim("user", checks(settings, stack))
