"""The servers around the hosts, all real: secrets (OpenBao), certificates (Pebble), backups (S3)."""
