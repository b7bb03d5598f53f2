"""The servers around the hosts, all real: secrets (OpenBao), certificates (Pebble), backups (rclone's S3)."""
