"""Where our site stands, and which sockets it listens on: alone in an Nginx of ours, or beside its owner's sites."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deploys.sites import Listen, ServedSites, Site, includes

AVAILABLE = "/etc/nginx/sites-available/health-v1"
ENABLED = "/etc/nginx/sites-enabled/health-v1"
LINK, FILE = "/etc/nginx/sites-enabled/zz-health-v1", "/etc/nginx/conf.d/zz-health-v1.conf"
"""Where it is included beside others: behind them, for the first answers for unknown names."""
HTTP, HTTPS = 80, 443
LOOPBACKS = ("127.", "[::1]", "localhost")


@dataclass(frozen=True)
class Socket:
    at: str
    """As `listen` names it: 80, [::]:80, 10.0.0.5:80."""
    shared: bool = False
    """A site of the owner's listens there too, so that unknown names are his."""
    default: bool = False
    """It says that we answer for unknown names. Beside others we do so by being alone there: he may want it later."""
    http2: bool = True
    """HTTP/2 may be switched on there. Old versions switch it for a whole socket."""


@dataclass(frozen=True)
class SitePlace:
    http: tuple[Socket, ...]
    https: tuple[Socket, ...]
    include: str = ENABLED
    """What Nginx reads: our site's file, or a link to it."""
    user: str = "www-data"
    """Whom the workers run as."""
    beside: bool = False
    names_elsewhere: tuple[str, ...] = ()
    """Names of ours that another site answers for: they are in our certificate, and the site stays his."""
    has_bucket_size: bool = False
    """A file of the owner's says how much room there is for a name."""


def own_place(ipv6: bool, elsewhere: tuple[str, ...] = ()) -> SitePlace:
    def sockets_on(port: int) -> tuple[Socket, ...]:
        return tuple(Socket(address, default=True) for address in (f"{port}", *((f"[::]:{port}",) if ipv6 else ())))

    return SitePlace(sockets_on(HTTP), sockets_on(HTTPS), names_elsewhere=elsewhere)


def shared_place(served: ServedSites, ipv6: bool, elsewhere: tuple[str, ...] = ()) -> SitePlace:
    """Return where we stand among the owner's sites. `include` is empty where he includes no place for sites."""
    sites = owner_sites(served)
    include_path = next(
        (path for path in (LINK, FILE) if any(includes(pattern, path) for pattern in served.include_patterns)), ""
    )
    return SitePlace(
        _sockets(sites, HTTP, ipv6), _sockets(sites, HTTPS, ipv6), include_path, served.user, True, elsewhere
    )


def owner_sites(served: ServedSites) -> tuple[Site, ...]:
    return tuple(site for site in served.sites if "health-v1" not in site.file)


def sites_by_name(served: ServedSites, names: tuple[str, ...]) -> dict[str, Site]:
    """Return which of our names the first of the owner's sites answers for by name."""
    return {name: site for name in names for site in reversed(owner_sites(served)) if name in site.names}


def _sockets(sites: tuple[Site, ...], port: int, ipv6: bool) -> tuple[Socket, ...]:
    """Return the owner's sockets on that port and, of each address family that he leaves free, our own.

    Nginx picks a site by address first: who listens on one address alone hides there whoever listens on all. And it
    cannot open a socket for all addresses while an old one for a single address is still open.
    """
    listens = [listen for site in sites for listen in site.listening(port)]
    sockets = {listen.socket: Socket(listen.socket, shared=True, http2=False) for listen in listens}
    for listen in listens:
        if "http2" in listen.flags:
            sockets[listen.socket] = replace(sockets[listen.socket], http2=True)
    dual_stack = any("ipv6only=off" in listen.flags for listen in listens)
    if not dual_stack and not any(_is_ipv4(listen) for listen in listens):
        sockets[f"{port}"] = Socket(f"{port}")
    if ipv6 and all(_is_ipv4(listen) for listen in listens):
        sockets[f"[::]:{port}"] = Socket(f"[::]:{port}")
    return tuple(sockets.values())


def _is_ipv4(listen: Listen) -> bool:
    return not listen.address.startswith("[")
