# Sourced by tests/run.sh and examples/quickstart.sh.
#
# need PACKAGE...: install those Debian packages that are not there yet, with
# apt-get, as root or through sudo.

need() {
	local missing=() p sudo=()
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	echo "installing: ${missing[*]}"
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" >/dev/null
}

BUILD_PACKAGES="gcc make autoconf automake pkg-config libc6-dev libssl-dev
	liblmdb-dev libyaml-dev zlib1g-dev libgsasl-dev libjansson-dev"
