"""The bundled API of Health V1: the canary that proves a deployed stack."""

from importlib.metadata import version

VERSION = version("healthv1-api")
