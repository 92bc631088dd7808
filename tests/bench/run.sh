#!/bin/sh
# mochila beside mbsync: what bench.py measures, with the program that make
# built.
#
#	tests/bench/run.sh [--quick | --all] [--repeat N] [--only REGEX]
#		[--list] [--json FILE] [--write-docs]
#
# MOCHILA is the program, ./mochila if it is not set; all is made below TMPDIR
# (/tmp), whose disk matters: see doc/performance.md.
set -eu

here=$(dirname "$0")
: "${MOCHILA:=./mochila}"
export MOCHILA
if ! [ -x "$MOCHILA" ]; then
	echo "$0: '$MOCHILA' is not there: build first, or set MOCHILA" >&2
	exit 2
fi
for program in dovecot mbsync; do
	if ! PATH=$PATH:/usr/sbin command -v "$program" >/dev/null; then
		echo "$0: $program is missing (dovecot-imapd, isync)" >&2
		exit 2
	fi
done
exec /usr/bin/python3 -B "$here/bench.py" "$@"
