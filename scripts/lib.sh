# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts share. Source it after "set -eu -o pipefail".
# shellcheck disable=SC2034

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${SUBPAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/subpage-vfio-pci}
export LC_ALL=C

# die WHAT NEXT: end with what is wrong and what to do about it.
die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	shift
	[ $# = 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

say() {
	printf '%s\n' "$*" >&2
}

# locked NAME COMMAND...: only one process at a time, over all checkouts that share the cache.
locked() {
	local name=$1
	shift
	mkdir -p "$cache/locks"
	(
		flock 9
		"$@" 9>&-
	) 9>"$cache/locks/$name"
}

# Asking apt takes longer than all else that comes before a boot. A day-old answer is good enough, as is a day-old
# list. recall NAME FILE...: print the path that was remembered by that name, if it is still there and the files
# are as they were.
recall() {
	local path
	answer=$cache/answers/$1-$(cat "${@:2}" "$top/scripts/lib.sh" | sha256sum | cut -c 1-8)
	path=$(find "$answer" -mmin -1440 -exec cat {} + 2>/dev/null) && [ -e "$path" ] && echo "$path"
}

# remember PATH: print it, for recall() as it was called last.
remember() {
	mkdir -p "$cache/answers"
	echo "$1" >"$answer.$$"
	mv "$answer.$$" "$answer"
	echo "$1"
}

# What is built for a checkout outlives it, by what it was made of. kept KEY FILE...: put those back in their places.
kept() {
	local dir=$cache/built/$1 file
	shift
	[ -d "$dir" ] || return
	touch "$dir"
	for file; do
		cp "$dir/${file##*/}" "$file" || return
	done
}

# keep KEY FILE...: for kept(); for two weeks from when it was last wanted.
keep() {
	local dir=$cache/built/$1 part
	shift
	mkdir -p "$cache/built"
	part=$(mktemp -d "$dir.XXXXXX")
	cp "$@" "$part"
	mv -T "$part" "$dir" 2>/dev/null || rm -r "$part"
	find "$cache/built" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -r {} +
}

# dkms.conf has the version of it all.
package_version() {
	sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$top/dkms.conf"
}

# sources: what a release consists of, with NUL behind each: what git has of this checkout, or, in an unpacked
# release and where git is missing or refuses, all files.
sources() {
	(cd "$top" && { { [ -e .git ] && git ls-files -z 2>/dev/null; } || find . \( -name build -o -name .git \) -prune -o -type f -print0; })
}

# previous_release DIR: write the sources of the release before this version there, out of git's history.
previous_release() {
	local bump
	mkdir -p "$1"
	bump=$(git -C "$top" log -n 1 --format=%H -G'^PACKAGE_VERSION=' -- dkms.conf) || bump=''
	[ -n "$bump" ] || die "git has no release before $(package_version)" "use a clone with its whole history: git fetch --unshallow"
	git -C "$top" archive "$bump^" | tar -x --no-same-permissions -C "$1"
}

host_arch() {
	dpkg --print-architecture
}

# debian_mirror SUITE: the machine's own Debian mirror that serves SUITE.
debian_mirror() {
	local want=bookworm uri
	case $1 in *-security) want=$1 ;; esac
	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
		awk -F'|' -v wanted="$want" '
			$1 != "Debian" { next }
			(wanted ~ /-security$/) == ($2 ~ /Security/ || $3 ~ /-security$/) { print $4; exit }')
	printf '%s\n' "$uri"
}

debian_sources() {
	local suite=$1 mirror security sign='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
	mirror=$(debian_mirror "$suite")
	[ -n "$mirror" ] || die "apt on this machine has no Debian mirror" \
		"run \"apt-get update\" as root, with a Debian main entry in /etc/apt/sources.list.d"
	echo "deb $sign $mirror $suite main"
	case $suite in
	*-backports) echo "deb $sign $mirror ${suite%-backports} main" ;;
	sid) ;;
	*)
		security=$(debian_mirror "$suite-security")
		[ -z "$security" ] || echo "deb $sign $security $suite-security main"
		;;
	esac
}

# debian_apt SUITE ARCH COMMAND...: an apt command that sees one suite of one
# architecture (and this machine's own, for tools), and nothing of what this
# machine has installed. While the lists are read nobody updates them. In a container apt may be told to
# keep no parsed lists; each question to sid's would then take a second.
debian_apt() {
	local config=$cache/apt/$1-$2/apt.conf lock=$cache/locks/apt-$1-$2 command=$3
	shift 3
	(
		flock -s 9
		APT_CONFIG=$config "$command" -o Dir::Cache::pkgcache=pkgcache.bin "$@" 9>&-
	) 9>"$lock"
}

debian_root_make() {
	local suite=$1 arch=$2 root=$cache/apt/$1-$2
	mkdir -p "$root"/{lists/partial,archives/partial}
	: >>"$root/status"
	debian_sources "$suite" >"$root/sources.list"
	# A mirror's copy of a suite can be past its Valid-Until; signatures are still checked.
	cat >"$root/apt.conf" <<-END
		Dir::State "$root";
		Dir::State::Lists "$root/lists";
		Dir::State::status "$root/status";
		Dir::Cache "$root";
		Dir::Etc::SourceList "$root/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; "$(host_arch)"; };
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		Acquire::Check-Valid-Until "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
	END
}

debian_root_update() {
	# By default apt-get calls it a success when it could reach nothing.
	APT_CONFIG=$cache/apt/$1-$2/apt.conf apt-get -q -o APT::Update::Error-Mode=any update \
		>"$cache/apt/$1-$2/update.log" 2>&1
}

# A day-old list is good enough, and with "force" one of five minutes, which another job has
# made; without a network an old one is better than none.
debian_root_refresh() {
	local suite=$1 arch=$2 age=1440 root=$cache/apt/$1-$2
	[ "${3-}" != force ] || age=5
	[ -z "$(find "$root/refreshed" -mmin "-$age" 2>/dev/null)" ] || return 0
	debian_root_make "$suite" "$arch"
	# A mirror may be half-way through a copy of one list: the main one alone will do.
	if debian_root_update "$suite" "$arch" || {
		[ ! -e "$root/refreshed" ] && sed -i '/-security main$/d' "$root/sources.list" &&
			debian_root_update "$suite" "$arch"
	}; then
		touch "$root/refreshed"
	elif [ -e "$root/refreshed" ]; then
		say "cannot refresh the package lists of $suite ($root/update.log); going on with the old ones"
		touch -d '-23 hours' "$root/refreshed"
	else
		cat "$root/update.log" >&2
		die "cannot read the package lists of $suite" "is the mirror that \"apt-get update\" uses reachable?"
	fi
}

# debian_root SUITE ARCH [force]: make the lists of that suite and architecture ready to ask.
debian_root() {
	locked "apt-$1-$2" debian_root_refresh "$@"
}

# fetch_debs SUITE ARCH DIR PACKAGE[=VERSION]...: download into DIR.
fetch_debs() {
	local suite=$1 arch=$2 dir=$3
	shift 3
	mkdir -p "$dir"
	(cd "$dir" && debian_apt "$suite" "$arch" apt-get -q download "$@" >/dev/null) && return
	# The list may name a version that has left the mirror.
	debian_root "$suite" "$arch" force
	(cd "$dir" && debian_apt "$suite" "$arch" apt-get -q download "$@" >/dev/null) ||
		die "cannot download $* ($suite, $arch)" "is the mirror that \"apt-get update\" uses reachable?"
}

# fetch_closure SUITE ARCH DIR PACKAGE...: download into DIR, with all that they depend on. Not mmdebstrap
# --variant=extract: that fetches the lists anew each time (QEMU of backports: 17 s, 10 with this), takes
# headers' tools for the wrong architecture, and twice the room for a kernel.
fetch_closure() {
	local suite=$1 arch=$2 dir=$3
	shift 3
	mkdir -p "$dir/partial"
	local get=(debian_apt "$suite" "$arch" apt-get -q -y -o Debug::NoLocking=1 -o "Dir::Cache::Archives=$dir"
		--download-only install "$@")
	# Elsewhere it would hide what suite-security has.
	[[ $suite != *-backports ]] || get+=(-t "$suite")
	"${get[@]}" >"$dir.log" 2>&1 && return
	debian_root "$suite" "$arch" force
	"${get[@]}" >"$dir.log" 2>&1 || {
		cat "$dir.log" >&2
		die "cannot download $* and what they depend on ($suite, $arch)" \
			"is the mirror that \"apt-get update\" uses reachable?"
	}
}

# unpack_debs DIR ROOT: those of DIR, which goes.
unpack_debs() {
	local deb
	for deb in "$1"/*.deb; do
		dpkg-deb -x "$deb" "$2"
	done
	rm -r "$1"
}

# package_versions SUITE ARCH PACKAGE...: that apt would take, one a line.
package_versions() {
	local suite=$1 arch=$2
	shift 2
	debian_apt "$suite" "$arch" apt-cache show --no-all-versions "$@" | sed -n 's/^Version: //p'
}

# package_field SUITE ARCH PACKAGE FIELD: of the version that apt would take.
package_field() {
	debian_apt "$1" "$2" apt-cache show --no-all-versions "$3" | sed -n "s/^$4: //p" | head -n 1
}
