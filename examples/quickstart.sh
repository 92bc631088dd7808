#!/usr/bin/env bash
# examples/quickstart.sh: see mochila at work in a minute.
#
# Installs what the build and the demonstration need (apt-get, with sudo where
# you are not root), builds, starts a private Dovecot on loopback with a few
# mailboxes, syncs them into a Maildir, changes something on each side, syncs
# again and shows what happened.  Leaves no process behind; everything but the
# packages and the build is below one temporary directory that is removed.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/packages.sh"

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}

# shellcheck disable=SC2086
need $BUILD_PACKAGES dovecot-core dovecot-imapd python3 openssl util-linux

if [ -n "${MOCHILA_BINARY:-}" ]; then
	mochila=$MOCHILA_BINARY
else
	say "Building"
	build=$top/build
	mkdir -p "$build"
	[ -x "$top/configure" ] || (cd "$top" && autoreconf -fi >/dev/null)
	[ -f "$build/Makefile" ] || (cd "$build" && ../configure -q)
	make -C "$build" -s -j"$(nproc)"
	mochila=$build/mochila
fi

demo=$(mktemp -d /tmp/mochila-demo-XXXXXX)
chmod 755 "$demo"
server=$top/examples/demo-server.py
cleanup() {
	/usr/bin/python3 "$server" stop "$demo" || true
	rm -rf "$demo"
}
trap cleanup EXIT

say "Starting a private Dovecot on loopback, with some mail"
/usr/bin/python3 "$server" start "$demo"
port=$(cat "$demo/port")

mkdir "$demo/home"
cat >"$demo/config.yaml" <<YAML
state_dir: $demo/state
accounts:
  demo:
    host: localhost
    port: $port
    tls: none
    user: ana
    password: secret
    maildir: $demo/Mail
YAML
chmod 600 "$demo/config.yaml"

run() {
	printf '$ mochila'
	printf ' %s' "$@"
	printf '\n'
	HOME=$demo/home "$mochila" -c "$demo/config.yaml" "$@"
}

say "The configuration"
sed 's/^/    /' "$demo/config.yaml"

say "The first sync: everything comes down"
run sync -v
run status
(cd "$demo/Mail" && find . -type f | sort | sed 's/^/    /')

say "Changes on both sides"
mail=$(find "$demo/Mail/INBOX/new" "$demo/Mail/INBOX/cur" -type f |
	sort | head -1)
echo "here:        one message is read and flagged, one moved to Sent,"
echo "             one new in Drafts/2026"
mv "$mail" "$demo/Mail/INBOX/cur/$(basename "${mail%%:2,*}"):2,FS"
moved=$(find "$demo/Mail/INBOX/new" -type f | sort | head -1)
mv "$moved" "$demo/Mail/Sent/new/"
mkdir -p "$demo/Mail/Drafts/2026/cur" "$demo/Mail/Drafts/2026/new" \
	"$demo/Mail/Drafts/2026/tmp"
printf 'From: ana@example.org\nSubject: a draft\n\nTo be written.\n' \
	>"$demo/Mail/Drafts/2026/cur/1.draft.localhost:2,DS"
echo "on the server: a new message, one is deleted, one moved to Sent"
/usr/bin/python3 "$server" change "$demo"

say "What would be done, and by which rule"
run sync --dry-run

say "The second sync"
run sync -v

say "A third one has nothing to do"
run sync -v --json

say "What is known of one message"
run explain "$demo/Mail/Sent/new/$(basename "$moved")"

say "Both sides, as seen without mochila"
/usr/bin/python3 "$server" show "$demo"

cat <<TEXT

That was all.  To use it with your own account:

    mkdir -p ~/.config/mochila
    cp $top/examples/config.yaml ~/.config/mochila/config.yaml
    chmod 600 ~/.config/mochila/config.yaml      # then edit it
    $mochila sync --dry-run
    $mochila sync
TEXT
