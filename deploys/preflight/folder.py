"""One folder on a host for what we note there. Earlier versions had two: what lay in the other moves into it."""

from __future__ import annotations

from deploys.operations.change import Change
from deploys.operations.shell import ensure
from deploys.paths import FOLDER, LINK

_NEW, _FORMER = f"{LINK}.new", f"{LINK}.former"
_LINK_IS_SET = f'test "$(readlink {LINK})" = {FOLDER}'
_IS_DONE = f"test -d {FOLDER} && {_LINK_IS_SET} && ! test -e {_NEW} && ! test -e {_FORMER}"

# Until the new link is there, all that counts lies in the former folder, and what a killed run copied is thrown
# away; from then on it lies in the one folder, and what is left is to put the link in the former's place. Copied and
# not moved: nobody moves what is in a folder in one step, and a service that starts meanwhile finds all of it. Where
# `mv` cannot exchange the two, there is a moment without either: who dies in it is mended by the next.
_MOVE = f"""umask 077; mkdir -p {FOLDER}
if ! {_LINK_IS_SET}; then
  if [ ! -L {_NEW} ] && [ -d {LINK} ]; then
    cd {FOLDER}; rm -rf applied logins prepared postgresql.* redis-probe* site.leaving; cd /
    for it in $(ls -A {LINK}); do
      [ ! -e {FOLDER}/"$it" ] || {{ echo "both {LINK}/$it and {FOLDER}/$it are there" >&2; exit 1; }}; done
    mode=0700 group=$(stat -c %g {FOLDER}) # on an edge host Nginx's workers pass through it
    [ "$(stat -c %a {FOLDER})" != 710 ] || mode=0710
    cp -a {LINK}/. {FOLDER}/; chgrp "$group" {FOLDER}; chmod "$mode" {FOLDER}; sync -f {FOLDER}
  fi
  ln -sfn {FOLDER} {_NEW}; sync -f /var/lib
  if [ -e {LINK} ] && ! mv -T --exchange {_NEW} {LINK} 2>/dev/null; then
    rm -rf -- {_FORMER}; mv -T -- {LINK} {_FORMER}; fi
  {_LINK_IS_SET} || mv -T -- {_NEW} {LINK}
  sync -f /var/lib
fi
rm -rf -- {_FORMER} {_NEW}"""


def merge_folders() -> None:
    """Have `FOLDER`, and `LINK` lead to it. No service is restarted: every file keeps its former path, by the link."""
    ensure(
        name="Keep in one folder what is noted here",
        change=Change("link", LINK, "create", "earlier versions and units know this path", becomes=FOLDER),
        test=_IS_DONE,
        command=_MOVE,
        was=f"[ ! -d {LINK} ] || [ -L {LINK} ] || echo a folder, whose files move",
    )
