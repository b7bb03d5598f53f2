"""What is run on a host to have a certificate at all, to keep its logs private, and to see whether nginx works."""

from __future__ import annotations

TEST_CONFIGURATION = "nginx -t -q"
# The site is tried by itself: whatever else is wrong under /etc/nginx, it can be put right.
TEST_SITE = """printf 'user www-data;\\nevents {}\\nhttp { %s include "%s"; }\\n' \\
  "server_names_hash_bucket_size 512;" "$1" > "$1.alone"
nginx -t -q -c "$1.alone\""""


def is_usable(path: str) -> str:
    """Return a test that succeeds when the file holds a certificate and its key."""
    return f'key=$(openssl pkey -in {path} -pubout) && test "$(openssl x509 -in {path} -noout -pubkey)" = "$key"'


def make_placeholder(path: str) -> str:
    """Return shell that puts a self-signed certificate there, by one rename."""
    key = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
    sign = "openssl req -x509 -sha256 -days 30 -subj /CN=placeholder.invalid"
    return (
        f"umask 077; new={path}.placeholder; {key} > $new; {sign} -key $new > $new.signed\n"
        f"cat $new.signed >> $new; rm -f $new.signed; mv -fT $new {path}"
    )


def is_private(path: str, user: str, group: str, mode: str) -> str:
    """Return a test that succeeds when the file is there, and nobody else may read it."""
    return f'test "$(stat -c "%U %G 0%a" {path})" = "{user} {group} {mode}"'


def show_mode(path: str) -> str:
    """Return shell that prints the file's mode and owner."""
    return f'stat -c "0%a %U:%G" {path}'


def make_private(path: str, user: str, group: str, mode: str) -> str:
    """Return shell that makes it so, of a log also if there is none yet: nginx would make it 0644."""
    return f"(umask 077; : >> {path}); chown {user}:{group} {path}; chmod {mode} {path}"


def is_working(port: int, generation: str) -> str:
    """Return a test that succeeds when a worker answers, and was started with that configuration."""
    return f'test "$(curl -fsS --noproxy "*" --max-time 5 http://127.0.0.1:{port}/)" = {generation}'
