"""What of an owner's Nginx our site cannot stand beside."""

from __future__ import annotations

from collections.abc import Iterator

from deploys.facts.nginx import NginxOnHost
from deploys.foreign import Foreign
from deploys.nginx.places import HTTP, HTTPS, LOOPBACKS, SitePlace, owner_sites, sites_by_name
from deploys.sites import MAIN_FILE, Listen, Site, includes, name_bucket


def nginx_conflicts(nginx: NginxOnHost, place: SitePlace, names: tuple[str, ...]) -> tuple[Foreign, ...]:
    """Return what is refused. Nothing of it can be adopted: it is the owner's to mend."""
    state_conflicts = tuple(_state_conflicts(nginx))
    return state_conflicts or (
        *_name_conflicts(nginx, names[0]),
        *bucket_conflicts(nginx, names),
        *_include_conflicts(place),
        *_socket_conflicts(nginx),
        *_default_site_conflicts(nginx, place),
    )


def _state_conflicts(nginx: NginxOnHost) -> Iterator[Foreign]:
    description = f"It serves what its owner has in {', '.join(nginx.owner_files)}."
    if not nginx.version:
        what = f"It is not installed, but sites of its owner's are there: {', '.join(nginx.owner_files)}."
        consequence = "An apply would install it and serve them."
        yield Foreign("nginx", what, consequence, "install it, or move those files out of /etc/nginx")
    elif nginx.config_error:
        consequence = "An apply could not reload it, and its next start fails."
        yield Foreign(
            "nginx", f"It does not accept its configuration: {nginx.config_error}.", consequence, "run: nginx -t"
        )
    elif nginx.active != "active" or not nginx.enabled.startswith("enabled"):
        state = nginx.enabled if nginx.active == "active" else f"{nginx.active}, {nginx.enabled}"
        consequence = (
            f"Its unit is {state}: an apply would have it run and start with the host, and those sites with it."
        )
        way_out = "run: systemctl unmask nginx && systemctl enable --now nginx"
        yield Foreign("nginx", description, consequence, way_out)


def _name_conflicts(nginx: NginxOnHost, domain: str) -> Iterator[Foreign]:
    for site in sites_by_name(nginx.sites, (domain,)).values():
        consequence = "Of two sites with one name nginx hears one."
        way_out = "take the name out of its server_name, or choose another stack.domain"
        yield Foreign(f"site {domain}", f"{site.file} answers for {domain}.", consequence, way_out)


def bucket_conflicts(nginx: NginxOnHost, names: tuple[str, ...]) -> Iterator[Foreign]:
    """Refuse a table of names that the owner left too small for one of ours."""
    if (needed := name_bucket(names)) > nginx.sites.name_bucket:
        file, line = nginx.sites.name_bucket_file or MAIN_FILE, f"server_names_hash_bucket_size {needed};"
        what = f"Its owner wrote it, and its table of names has no room for {max(names, key=len)}."
        add = f"sed -i '0,/^ *http *{{/s//&\\n    {line}/' {file}"
        change = f"sed -i 's/server_names_hash_bucket_size .*;/{line}/' {file}"
        way_out = f"run: {change if nginx.sites.name_bucket_file else add}"
        yield Foreign(f"file {file}", what, "Nginx would not accept our site.", way_out)


def _include_conflicts(place: SitePlace) -> Iterator[Foreign]:
    if not place.include:
        what = "Its owner wrote it, and it includes neither /etc/nginx/sites-enabled/* nor /etc/nginx/conf.d/*.conf."
        way_out = "add to its http block: include /etc/nginx/conf.d/*.conf;"
        yield Foreign(f"file {MAIN_FILE}", what, "Our site would not be served.", way_out)


def _socket_conflicts(nginx: NginxOnHost) -> Iterator[Foreign]:
    sites = owner_sites(nginx.sites)
    for port in (HTTP, HTTPS):
        pairs = [(site, listen) for site in sites for listen in site.listening(port)]
        for site, listen in pairs:
            flags = {flag for _, other in pairs if other.socket == listen.socket for flag in other.flags}
            if fault := _socket_fault(flags, port):
                yield _socket_conflict(site, listen, fault)
        public_listens = [listen for _, listen in pairs if not listen.address.startswith(LOOPBACKS)]
        if pairs and not public_listens:
            yield _socket_conflict(*pairs[0], "it is on loopback alone, and nginx cannot open all addresses beside it")


def _socket_fault(flags: set[str], port: int) -> str:
    if "proxy_protocol" in flags:
        return "it expects the PROXY protocol, which our visitors do not speak"
    if ("ssl" in flags) != (port == HTTPS):
        return "it speaks HTTPS, and our site HTTP" if port == HTTP else "it speaks HTTP, and our site HTTPS"
    return ""


def _socket_conflict(site: Site, listen: Listen, why: str) -> Foreign:
    what = f"{site.file} listens on {listen.socket}, and {why}."
    return Foreign(f"port {listen.port}", what, "Both sites would share that socket.", "let it listen on another port")


def _default_site_conflicts(nginx: NginxOnHost, place: SitePlace) -> Iterator[Foreign]:
    """Refuse to become the first on a socket of the owner's where no site says that it is the default."""
    sites = owner_sites(nginx.sites)
    for port in (HTTP, HTTPS):
        for socket in sorted({listen.socket for site in sites for listen in site.listening(port)}):
            listeners = [
                (site, other_listen)
                for site in sites
                for other_listen in site.listening(port)
                if other_listen.socket == socket
            ]
            flags = {flag for _, listen in listeners for flag in listen.flags}
            first = listeners[0][0].file
            if not flags & {"default_server", "default"} and not _precedes(nginx, first, place):
                consequence = f"Our site may be read before it, and then it answers for unknown names on {socket}."
                way_out = f"write in it: listen {socket} default_server"
                yield Foreign(f"site {first}", "It answers for unknown names without saying so.", consequence, way_out)


def _precedes(nginx: NginxOnHost, file: str, place: SitePlace) -> bool:
    """Whether nginx reads that site before ours."""
    order = nginx.sites.include_patterns

    def position(path: str) -> int:
        return next((i for i, pattern in enumerate(order) if includes(pattern, path)), len(order))

    return file != MAIN_FILE and (position(file), file) < (position(place.include), place.include)
