"""Hosts that leave an environment, and parts that hosts leave: taken down, and then forgotten."""
