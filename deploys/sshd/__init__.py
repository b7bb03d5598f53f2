"""What sshd is told: to leave bans to fail2ban, and whose certificates open the account that we sign in as."""
