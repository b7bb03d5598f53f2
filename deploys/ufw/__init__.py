"""The firewall (row G20 of the guide): SSH first and always, then what each part needs, and nothing else."""
