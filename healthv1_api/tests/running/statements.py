"""Every statement of the service that is installed, as JSON by name. Run by the service's own Python."""

import json
import pkgutil
import re
from importlib import import_module

import healthv1_api

VERBS = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s")
SKIPPED = ("healthv1_api.__main__", "healthv1_api.migrations", "healthv1_api.seed", "healthv1_api.migrate")

OWNERS = {"REWRAP_KEY"}  # said by the owner, in a command


def statements():
    found = {}
    for module in pkgutil.walk_packages(healthv1_api.__path__, "healthv1_api."):
        if module.name.startswith(SKIPPED):
            continue
        for name, value in vars(import_module(module.name)).items():
            values = value.items() if isinstance(value, dict) and name.isupper() else [("", value)]
            for key, text in values:
                if (
                    name.isupper()
                    and name not in OWNERS
                    and isinstance(text, str)
                    and VERBS.match(text)
                    and "{" not in text
                ):
                    found[f"{name} {getattr(key, 'value', key)}".strip()] = " ".join(text.split())
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(json.dumps(statements(), indent=1))
