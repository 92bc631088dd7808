# Sourced by tests/run.sh and examples/quickstart.sh.
#
# need PACKAGE...: install those Debian packages that are not there yet, with
# apt-get, as root or through sudo.
#
# unpack_servers: put Cyrus and Courier where the whole-program tests look for
# them.  Their packages cannot be installed beside Dovecot's, so they are
# unpacked, with the libraries that this machine lacks, below
# ${MOCHILA_SERVERS}, by default /var/cache/mochila-tests for root (whose home
# the servers' user cannot pass) and ~/.cache/mochila-tests for others.

is_installed() {
	dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

need() {
	local missing=() p
	for p in "$@"; do
		is_installed "$p" || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing: ${missing[*]}"
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" >/dev/null
}

# The libraries that PACKAGE... depend on, directly or not, and that are not
# installed.  Of alternatives the first counts.  libclamav serves a program
# of Cyrus that is not run here, and is large.
missing_libraries() {
	local level=("$@") next seen=' libclamav12 ' d
	while [ ${#level[@]} -gt 0 ]; do
		next=()
		while read -r d; do
			case $seen in *" $d "*) continue ;; esac
			seen+="$d "
			is_installed "$d" && continue
			next+=("$d")
			echo "$d"
		done < <(apt-cache depends "${level[@]}" | awk '
			/Depends: / {
				if (!other && $2 ~ /^z?lib/) print $2
				other = /^ *\|/
			}')
		level=("${next[@]}")
	done
}

# unpack DIRECTORY PACKAGE...: those packages and their libraries into
# DIRECTORY/root; DIRECTORY/versions says which.  All or nothing.
unpack() {
	local dir=$1 part=$1.part.$$ deb
	shift
	rm -rf "$part"
	mkdir -p "$part/root" "$part/debs"
	# shellcheck disable=SC2046
	(cd "$part/debs" &&
		apt-get download -qq "$@" $(missing_libraries "$@") &&
		for deb in *.deb; do
			dpkg-deb -x "$deb" "$part/root" &&
				dpkg-deb -W "$deb" || exit
		done >"$part/versions") ||
		{ rm -rf "$part"; return 1; }
	rm -r "$part/debs"
	chmod 755 "$part" "$part/root"
	mv -T "$part" "$dir" 2>/dev/null || rm -rf "$part"
}

unpack_servers() {
	local top=${MOCHILA_SERVERS:-} packages name
	if [ -z "$top" ] && [ "$(id -u)" = 0 ]; then
		top=/var/cache/mochila-tests
	elif [ -z "$top" ]; then
		top=${XDG_CACHE_HOME:-$HOME/.cache}/mochila-tests
	fi
	mkdir -p "$top"
	chmod a+rx "$top"
	for name in cyrus courier; do
		[ ! -e "$top/$name/versions" ] || continue
		case $name in
		cyrus) packages="cyrus-imapd cyrus-common" ;;
		courier) packages="courier-imap courier-base courier-authlib
			gamin" ;;
		esac
		echo "unpacking: $name"
		# shellcheck disable=SC2086
		unpack "$top/$name" $packages 2>/dev/null ||
			{ as_root apt-get update -qq &&
				unpack "$top/$name" $packages; } ||
			echo "no $name here: its tests will be skipped"
	done
}

BUILD_PACKAGES="gcc make autoconf automake pkg-config libc6-dev libssl-dev
	liblmdb-dev libyaml-dev zlib1g-dev libgsasl-dev libjansson-dev"
