"""The sites in an Nginx configuration, in the order in which nginx reads them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from deploys.marks import MANAGED

OUR_MARK = "nginx"
"""The value of the mark `nginx` for an Nginx of ours."""
ETC = "/etc/nginx/"
MAIN_FILE = f"{ETC}nginx.conf"
DEFAULT_NAME_BUCKET = 64
"""The default of server_names_hash_bucket_size, in bytes."""
_BUCKET_DIRECTIVE = "server_names_hash_bucket_size"
Tokens = tuple[str, ...]

# Nginx is vacant if its files are as packaged and it serves only the packaged page. An owner may also use the stock
# site. Our files have our name or our first line.
FIND_OWNER_FILES = f"""stock() {{ awk -v path="$1" -v digest="$(md5sum < "$1" | cut -c1-32)" \\
  '$1 == path && $2 == digest {{ found = 1 }} END {{ exit !found }}' /var/lib/dpkg/status; }}
stock_site() {{ [ "$(readlink /etc/nginx/sites-enabled/default)" = /etc/nginx/sites-available/default ] &&
  stock /etc/nginx/sites-available/default; }}
theirs() {{ file=/etc/nginx/nginx.conf
if [ -e $file ] && ! stock $file && ! head -n 2 $file | grep -qF '{MANAGED}'; then echo $file; fi
for file in /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/*; do
  [ -e "$file" ] || [ -L "$file" ] || continue
  case $file in *health-v1*) continue;; */sites-enabled/default) ! stock_site || continue;; esac
  echo "$file"; done
if stock_site; then find /var/www/html -mindepth 1 -maxdepth 1 ! -name index.nginx-debian.html | head -n 1; fi; }}"""
HAS_STOCK_SITE = f"{{ {FIND_OWNER_FILES}\nstock_site; }}"
"""A test that succeeds if the packaged site is enabled and unchanged."""


@dataclass(frozen=True)
class Listen:
    address: str
    """Without its port; "*" for every IPv4 address, "[::]" for every IPv6 one."""
    port: int
    flags: frozenset[str]
    """ssl, default_server …"""

    @property
    def socket(self) -> str:
        """The value for a `listen` directive."""
        return f"{self.port}" if self.address == "*" else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Site:
    """One `server` block in `http`."""

    file: str
    listens: tuple[Listen, ...]
    names: Tokens = ()
    certificates: Tokens = ()

    def listening(self, port: int) -> tuple[Listen, ...]:
        return tuple(listen for listen in self.listens if listen.port == port)


@dataclass
class _Block:
    name: str
    parts: list[_Block | Tokens] = field(default_factory=list)


@dataclass(frozen=True)
class ServedSites:
    sites: tuple[Site, ...] = ()
    """In nginx's reading order: the first site on a socket answers for unknown names."""
    include_patterns: Tokens = ()
    """The patterns of `include` directives in `http`."""
    user: str = "www-data"
    """The account of the workers."""
    name_bucket: int = DEFAULT_NAME_BUCKET
    """The value of server_names_hash_bucket_size, in bytes."""
    name_bucket_file: str = ""
    """The file that sets it, empty if none does. nginx refuses a second such directive."""


def parse_sites(lines: Sequence[str]) -> ServedSites:
    """Parse the output of `LIST_SITES` in `deploys/facts/nginx.py`: blocks and a few directives, by file."""
    files = _files(lines)
    main = files.get(MAIN_FILE, _Block(MAIN_FILE))
    values = {part[0]: part[1] for block in files.values() for part in _all_directives(block)}
    sites_and_patterns = list(_find_sites(main, MAIN_FILE, "", files))
    sites = tuple(item for item in sites_and_patterns if isinstance(item, Site))
    included = tuple(dict.fromkeys(item for item in sites_and_patterns if isinstance(item, str)))
    buckets = [
        (int(part[1]), path)
        for path, block in files.items()
        for part in _all_directives(block)
        if part[0] == _BUCKET_DIRECTIVE
    ]
    return ServedSites(
        sites, included, values.get("user", "www-data"), *(buckets[-1] if buckets else (DEFAULT_NAME_BUCKET, ""))
    )


def name_bucket(names: Sequence[str]) -> int:
    """Return the bucket size for the longest name: nginx stores a name, its length, and two pointers."""
    return next(size for size in (64, 128, 256, 512) if (max(map(len, names)) + 17) // 8 * 8 + 8 <= size)


def includes(pattern: str, path: str) -> bool:
    """Whether `include pattern` includes the file."""
    return fnmatch.fnmatchcase(path, _absolute(pattern)) and path.count("/") == _absolute(pattern).count("/")


def _absolute(pattern: str) -> str:
    return pattern if pattern.startswith("/") else f"{ETC}{pattern}"


def _files(lines: Sequence[str]) -> dict[str, _Block]:
    files: dict[str, _Block] = {}
    open_blocks = [_Block("")]
    for kind, *words in (line.split("\t") for line in lines):
        if kind == "file":
            open_blocks = [files.setdefault(words[0], _Block(words[0]))]
        elif kind == "{":
            block = _Block(words[0])
            open_blocks[-1].parts.append(block)
            open_blocks.append(block)
        elif kind == "}":
            open_blocks[1:] = open_blocks[1:-1]
        else:
            open_blocks[-1].parts.append(tuple(words))
    return files


def _all_directives(block: _Block) -> Iterator[Tokens]:
    for part in block.parts:
        yield from (part,) if isinstance(part, tuple) else _all_directives(part)


def _find_sites(block: _Block, file: str, context: str, files: dict[str, _Block]) -> Iterator[Site | str]:
    """Yield the sites, and the patterns of included files."""
    for part in block.parts:
        if isinstance(part, tuple):
            if part[0] == "include":
                yield from _included_sites(part[1], context, files)
        elif part.name == "server" and context == "http":
            yield _site(file, list(_directives(part, files)))
        elif part.name == "http":
            yield from _find_sites(part, file, "http", files)


def _included_sites(pattern: str, context: str, files: dict[str, _Block]) -> Iterator[Site | str]:
    if context == "http":
        yield _absolute(pattern)
    for path in sorted(path for path in files if includes(pattern, path)):
        yield from _find_sites(files[path], path, context, files)


def _directives(block: _Block, files: dict[str, _Block]) -> Iterator[Tokens]:
    """Yield the directives of a server block and of the files it includes, but not those of its locations."""
    for part in block.parts:
        if not isinstance(part, tuple):
            continue
        if part[0] != "include":
            yield part
            continue
        for path in sorted(path for path in files if includes(part[1], path)):
            yield from _directives(files[path], files)


def _site(file: str, directives: list[Tokens]) -> Site:
    def arguments(name: str) -> list[Tokens]:
        return [words[1:] for words in directives if words[0] == name]

    listens = tuple(listen for words in arguments("listen") for listen in _listens(words))
    return Site(
        file,
        listens if arguments("listen") else (Listen("*", 80, frozenset()),),
        tuple(name.lower() for words in arguments("server_name") for name in words),
        tuple(words[0] for words in arguments("ssl_certificate") if words),
    )


def _listens(words: Tokens) -> Iterator[Listen]:
    endpoint, flags = words[0], frozenset(words[1:])
    if endpoint.startswith("unix:") or "quic" in flags:  # no TCP port of the host's
        return
    address, colon, port = endpoint.rpartition(":")
    if endpoint.isdigit():
        address, port = "*", endpoint
    elif not colon or endpoint.endswith("]"):
        address, port = endpoint, "80"
    if port.isdigit():
        yield Listen("*" if address in {"", "*", "0.0.0.0"} else address, int(port), flags)  # noqa: S104
