"""The apt commands. The simulation and the installation take the same options.

The owner's apt configuration stays as it is: our options are on the command line and in the environment only.
"""

from __future__ import annotations

from deploys.paths import INSTALLING, LISTS_RENEWED, MARKS

_SIMULATE_COMMAND = "apt-get -sqy -o Debug::NoLocking=true -o APT::Get::AutomaticRemove=false --no-install-recommends"
# The simulation takes no lock, and reports removals instead of refusing them. During another `apt update` apt can fail
# ("Cache is out of sync"): then try again. "Unable to" is final.
SIMULATE = f"""export LC_ALL=C
simulate() {{ for i in 1 2 3 4; do
  said=$({_SIMULATE_COMMAND} --allow-change-held-packages --allow-downgrades "$@" 2>&1) && return 0
  case $said in *"Unable to "* | *"installation candidate"* | *"nmet dependencies"*) return 1;; esac; sleep 0.5
done; return 1; }}"""

# Reads the output of `apt-get update`. Prints each repository that failed, and the reason.
_LIST_REFUSED = r"""refused() { awk '
function say() { if (name != "" && !(name in said)) { said[name]; print name "\t" reason } name = "" }
/^Err:[0-9]+ / { say(); name = $2 " " $3; reason = "no reason is given"; first = 1; next }
/^  / && name != "" { if (first) { reason = substr($0, 3); first = 0 } next }
{ say() }
/^E: (Release file for|Repository) / { name = $0; sub(/.*(file for|Repository) \047?/, "", name)
  sub(/\047? .*/, "", name); sub(/\/dists\//, " ", name); sub(/\/(In)?Release$/, "", name)
  reason = substr($0, 4); say() }
END { say() }' | sed -E 's#//[^/@ ]*@#//#g; s/Sub-process .* error message is: //'; }"""

# Lists unreadable repositories, without a trace on the host. It fetches the Release files into a temporary folder, and
# no package lists: the owner's lists stay as they are, and his hooks do not run. The folder is below /var/lib/apt: apt
# creates its subfolders only there.
LIST_UNREAD = rf"""export LC_ALL=C
{_LIST_REFUSED}
at=$(mktemp -d /var/lib/apt/health-v1.XXXXXX) || exit 0; trap 'rm -rf "$at"' EXIT; trap 'exit 1' HUP INT TERM
chmod 0755 "$at"
{{ for hook in Pre-Invoke Post-Invoke Post-Invoke-Success; do echo "#clear APT::Update::$hook;"; done
for list in deb::Packages deb::Translations deb-src::Sources; do
  echo "Acquire::IndexTargets::$list::DefaultEnabled false;"; done
echo 'Acquire::http::Timeout 10; Acquire::https::Timeout 10; Acquire::Retries 0;'
echo "Dir::State::Lists \"$at/lists\"; Dir::Cache::pkgcache \"\"; Dir::Cache::srcpkgcache \"\";"
}} > "$at/conf"
timeout 60 apt-get -q update -c "$at/conf" > "$at/said" 2>&1
grep -q '^E: The list of sources could not be read' "$at/said" &&
  sed -nE '1 s/^E: (.*)/now=unlisted\t-\t\1\t-/p' "$at/said"
apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(SOURCESENTRY)' 2>/dev/null |
  sed -E 's#//[^/@ ]*@#//#; s#/ # #' | sort -u > "$at/entries"
refused < "$at/said" | while IFS="$(printf '\t')" read -r name reason; do
  entry=$(awk -v name="$name" '$1 " " $2 == name {{ print $3; exit }}' "$at/entries")
  printf 'now=unread\t%s\t%s\t%s\n' "$name" "$reason" "$entry"
done"""

# Lists half-installed packages: name, state, and whether a repository has the package.
LIST_INTERRUPTED = """{ form='${db:Status-Abbrev}|${Package}|${db:Status-Status}\\n'
dpkg-query -W -f "$form" | grep -v '^[ihrup][inc] ' | while IFS='|' read -r _ name state; do
  sources=$(LC_ALL=C apt-cache policy -- "$name" | grep -E '^ +-?[0-9]+ [^ ]*/' | grep -vF /var/lib/dpkg/status)
  [ -n "$sources" ] && had=yes || had=no
  echo "$name|$state|$had"; done
ls /var/lib/dpkg/updates | grep -q . && echo "dpkg|interrupted|yes"; } 2>/dev/null || true"""

# Installing starts no service (ours start once configured) and restarts none of the owner's: PATH finds these stubs of
# the packages' start commands first. They are removed afterwards; a policy-rc.d would stay, or replace the owner's.
_NO_SERVICE_STARTS = f"""(umask 077; rm -rf {INSTALLING}; mkdir -p {INSTALLING})
trap 'rm -rf {INSTALLING}' EXIT; trap 'exit 1' HUP INT TERM
cat > {INSTALLING}/deb-systemd-invoke <<'END'
#!/bin/sh
case " $* " in *" daemon-reload "* | *" daemon-reexec "*) exec /usr/bin/deb-systemd-invoke "$@";; esac
END
cat > {INSTALLING}/invoke-rc.d <<'END'
#!/bin/sh
case " $* " in *" status "* | *" --query "*) exec /usr/sbin/invoke-rc.d "$@";; esac
END
chmod 0700 {INSTALLING}/*
export PATH={INSTALLING}:/usr/sbin:/usr/bin:/sbin:/bin NEEDRESTART_SUSPEND=yes"""

# DPkg::Lock::Timeout covers the frontend lock only. The update function waits for the lock of the lists.
_PRELUDE = f"""set -eu; export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
{_NO_SERVICE_STARTS}
ask() {{ {_SIMULATE_COMMAND} "$@" 2>&1; }}
apt() {{ apt-get -qy -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o DPkg::Path="$PATH" \
  -o APT::Get::Remove=false -o APT::Get::AutomaticRemove=false --no-install-recommends \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"; }}
{_LIST_REFUSED}
unread= tried={LISTS_RENEWED}
update() {{ i=0; until said=$(apt update -o Acquire::Retries=1 --error-on=any 2>&1); do i=$((i+1))
  case $said in *"Could not get lock"*) [ $i -lt 100 ] && sleep 3 && continue; esac
  unread=$(printf '%s\\n' "$said" | refused | sed 's/\t/ cannot be read: /')
  [ -z "$unread" ] || break
  printf '%s\\n' "$said" >&2; exit 1; done; touch $tried; }}
names() {{ sed -nE "s/^$1 ([^ ]+) .*/\\1/p"; }}
note() {{ (umask 077; mkdir -p {MARKS}; echo "$@" > {MARKS}/packages.new
  mv -fT {MARKS}/packages.new {MARKS}/packages; sync -f {MARKS}); }}
"""
# $1: the packages to upgrade, as planned, one per line. The rest: the packages to install, as name=version where the
# plan knew the version. Old lists alone are no change: they are refreshed only before an installation. It installs what
# the plan announced, or nothing.
INSTALL = (
    _PRELUDE
    + f"""upgraded=$1; shift
fresh() {{ {{ find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mmin -1440
  find $tried -mmin -10; }} 2>/dev/null | grep -q .; }}
moved() {{ echo "$1" "The lists of packages have moved since the plan: look at the plan again." >&2; exit 1; }}
attempt() {{
  said=$(ask -o APT::Get::Remove=false install "$@") || {{ printf '%s\\n' "$said" >&2; return 1; }}
  more=$(printf '%s\\n' "$said" | grep -E '^Inst [^ ]+ \\[' | names Inst | grep -vxF -- "$upgraded" || true)
  case $* in *=*) [ -z "$more" ] || moved "$(echo $more) would have to be upgraded now.";; esac
  note $(printf '%s\\n' "$said" | names Inst)
  apt install "$@"; }}
renew() {{ update; for one; do case $one in *=*) name=${{one%%=*}} version=${{one#*=}}
  now=$(apt-cache policy -- "$name" | sed -n 's/^  Candidate: //p')
  [ "$now" = "$version" ] || {{ gone
    moved "$name was to be $version, and is ${{now:-not to be had}} now."; }};; esac; done; }}
# A repository that cannot be read is no reason to install nothing, until something is only there.
gone() {{ [ -z "$unread" ] || {{ printf '%s\\n' "$unread" "Let the host read it, or take it out of /etc/apt." >&2
  exit 1; }}; }}
fresh && attempt "$@" || {{ renew "$@"; attempt "$@"; }} || {{ gone
  # A disk that was full can leave lists and caches that contradict each other.
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin; renew "$@"; attempt "$@"; }}
rm -f {MARKS}/packages"""
)
# $1: the packages to remove, as planned: half-installed ones of ours. Configure, fix, configure: a package may need one
# that was only unpacked, and the other way round.
REPAIR = (
    _PRELUDE
    + f"""configure() {{ dpkg --configure -a --force-confdef --force-confold; }}
configure || true
more=$(ask -f install | names Remv | grep -vxF -- "$1" || true)
[ -z "$more" ] || {{ echo "apt would now remove $(echo $more): look at the plan again." >&2; exit 1; }}
apt -o APT::Get::Remove=true -f install; configure; rm -f {MARKS}/packages"""
)
