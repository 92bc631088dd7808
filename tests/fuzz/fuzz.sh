#!/bin/sh
# usage: tests/fuzz/fuzz.sh SECONDS [TARGET...]
#
# Builds each fuzz target with clang's libFuzzer, AddressSanitizer and UBSan,
# and runs it for SECONDS from the seed corpus.  Works in a directory of its
# own; a finding is left there and its path printed.
#
# The first comment of a target names what it needs beyond base/ and mail/:
#	/* fuzz-sources: src/wire/lex.c */
#	/* fuzz-libs: -lyaml */
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
work=${FUZZ_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/mochila-fuzz.XXXXXX")}
mkdir -p "$work"
cd "$top"
[ $# -gt 0 ] || set -- $(for f in tests/fuzz/fuzz-*.c; do
	basename "$f" .c | sed 's/^fuzz-//'
done)
status=0
for target in "$@"; do
	source=tests/fuzz/fuzz-$target.c
	extra=$(sed -n 's|^/\* fuzz-sources: *\(.*[^ ]\) *\*/$|\1|p' "$source")
	libs=$(sed -n 's|^/\* fuzz-libs: *\(.*[^ ]\) *\*/$|\1|p' "$source")
	# shellcheck disable=SC2086
	clang -std=c11 -D_GNU_SOURCE -g -O1 -Isrc \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined \
		"$source" $extra src/base/*.c src/mail/*.c \
		-o "$work/fuzz-$target" $libs -lcrypto -lpthread
	mkdir -p "$work/corpus-$target" "$work/found"
	dict=
	[ ! -f "tests/fuzz/$target.dict" ] || dict=-dict=tests/fuzz/$target.dict
	echo "fuzz $target for $seconds s"
	# shellcheck disable=SC2086
	if ! "$work/fuzz-$target" -max_total_time="$seconds" -max_len=4096 \
		-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 $dict \
		-artifact_prefix="$work/found/$target-" \
		"$work/corpus-$target" "tests/fuzz/corpus/$target" \
		>"$work/$target.log" 2>&1; then
		tail -n 40 "$work/$target.log" >&2
		echo "FINDING in $target: see $work/found" >&2
		status=1
	else
		grep -E 'number_of_executed_units|stat::' "$work/$target.log" |
			head -n 1
	fi
done
if [ $status -eq 0 ] && [ -z "${FUZZ_DIR:-}" ]; then
	rm -rf "$work"
fi
exit $status
