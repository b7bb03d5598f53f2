"""Claims about a deployment, tried one by one: on the hosts, and from outside as a visitor would."""
