#!/bin/sh
# Managed by healthv1. While it installs packages their services wait: each is started once it is configured.
[ -z "${HEALTHV1_INSTALLING-}" ] || exit 101
