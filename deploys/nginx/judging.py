"""What of an owner's Nginx our site cannot stand beside."""

from __future__ import annotations

from collections.abc import Iterator

from deploys.facts.nginx import NginxOnHost
from deploys.foreign import Foreign
from deploys.nginx.places import HTTP, HTTPS, LOOPBACKS, SitePlace, claiming, theirs
from deploys.sites import MAIN, Listen, Site, includes, room


def judge(found: NginxOnHost, place: SitePlace, names: tuple[str, ...]) -> tuple[Foreign, ...]:
    """Return what is refused. Nothing of it can be adopted: it is the owner's to mend."""
    stands = tuple(_state(found))
    return stands or (
        *_names(found, names[0]),
        *room_for(found, names),
        *_including(place),
        *_sockets(found),
        *_order(found, place),
    )


def _state(found: NginxOnHost) -> Iterator[Foreign]:
    whose = f"It serves what its owner has in {', '.join(found.theirs)}."
    if not found.version:
        what = f"It is not installed, but sites of its owner's are there: {', '.join(found.theirs)}."
        follows = "An apply would install it and serve them."
        yield Foreign("nginx", what, follows, "install it, or move those files out of /etc/nginx")
    elif found.refuses:
        follows = "An apply could not reload it, and its next start fails."
        yield Foreign("nginx", f"It does not accept its configuration: {found.refuses}.", follows, "run: nginx -t")
    elif found.active != "active" or not found.enabled.startswith("enabled"):
        state = found.enabled if found.active == "active" else f"{found.active}, {found.enabled}"
        follows = f"Its unit is {state}: an apply would have it run and start with the host, and those sites with it."
        way_out = "run: systemctl unmask nginx && systemctl enable --now nginx"
        yield Foreign("nginx", whose, follows, way_out)


def _names(found: NginxOnHost, domain: str) -> Iterator[Foreign]:
    for site in claiming(found.served, (domain,)).values():
        follows = "Of two sites with one name nginx hears one."
        way_out = "take the name out of its server_name, or choose another stack.domain"
        yield Foreign(f"site {domain}", f"{site.file} answers for {domain}.", follows, way_out)


def room_for(found: NginxOnHost, names: tuple[str, ...]) -> Iterator[Foreign]:
    """Refuse a table of names that the owner left too small for one of ours."""
    if (needed := room(names)) > found.served.room:
        file, line = found.served.room_in or MAIN, f"server_names_hash_bucket_size {needed};"
        what = f"Its owner wrote it, and its table of names has no room for {max(names, key=len)}."
        add = f"sed -i '0,/^ *http *{{/s//&\\n    {line}/' {file}"
        change = f"sed -i 's/server_names_hash_bucket_size .*;/{line}/' {file}"
        way_out = f"run: {change if found.served.room_in else add}"
        yield Foreign(f"file {file}", what, "Nginx would not accept our site.", way_out)


def _including(place: SitePlace) -> Iterator[Foreign]:
    if not place.include:
        what = "Its owner wrote it, and it includes neither /etc/nginx/sites-enabled/* nor /etc/nginx/conf.d/*.conf."
        way_out = "add to its http block: include /etc/nginx/conf.d/*.conf;"
        yield Foreign(f"file {MAIN}", what, "Our site would not be served.", way_out)


def _sockets(found: NginxOnHost) -> Iterator[Foreign]:
    sites = theirs(found.served)
    for port in (HTTP, HTTPS):
        pairs = [(site, listen) for site in sites for listen in site.listening(port)]
        for site, listen in pairs:
            flags = {flag for _, other in pairs if other.socket == listen.socket for flag in other.flags}
            if unfit := _unfit(flags, port):
                yield _of(site, listen, unfit)
        reached = [listen for _, listen in pairs if not listen.address.startswith(LOOPBACKS)]
        if pairs and not reached:
            yield _of(*pairs[0], "it is on loopback alone, and nginx cannot open all addresses beside it")


def _unfit(flags: set[str], port: int) -> str:
    if "proxy_protocol" in flags:
        return "it expects the PROXY protocol, which our visitors do not speak"
    if ("ssl" in flags) != (port == HTTPS):
        return "it speaks HTTPS, and our site HTTP" if port == HTTP else "it speaks HTTP, and our site HTTPS"
    return ""


def _of(site: Site, listen: Listen, why: str) -> Foreign:
    what = f"{site.file} listens on {listen.socket}, and {why}."
    return Foreign(f"port {listen.port}", what, "Both sites would share that socket.", "let it listen on another port")


def _order(found: NginxOnHost, place: SitePlace) -> Iterator[Foreign]:
    """Refuse to become the first on a socket of the owner's where no site says that it is the default."""
    sites = theirs(found.served)
    for port in (HTTP, HTTPS):
        for socket in sorted({listen.socket for site in sites for listen in site.listening(port)}):
            there = [(site, one) for site in sites for one in site.listening(port) if one.socket == socket]
            flags = {flag for _, listen in there for flag in listen.flags}
            first = there[0][0].file
            if not flags & {"default_server", "default"} and not _precedes(found, first, place):
                follows = f"Our site may be read before it, and then it answers for unknown names on {socket}."
                way_out = f"write in it: listen {socket} default_server"
                yield Foreign(f"site {first}", "It answers for unknown names without saying so.", follows, way_out)


def _precedes(found: NginxOnHost, file: str, place: SitePlace) -> bool:
    """Whether nginx reads that site before ours."""
    order = found.served.included

    def position(path: str) -> int:
        return next((i for i, pattern in enumerate(order) if includes(pattern, path)), len(order))

    return file != MAIN and (position(file), file) < (position(place.include), place.include)
