#!/bin/sh
# usage: tests/fuzz/fuzz.sh [--grow] SECONDS [TARGET...]
#
# Builds each fuzz target with clang's libFuzzer, AddressSanitizer and UBSan,
# and runs it for SECONDS from its corpus.  Works in a directory of its own
# (FUZZ_DIR); a finding is left there and its path printed.
#
# With --grow, what reached new code comes into tests/fuzz/corpus: the fewest
# inputs that reach all of it, named by their SHA-1, beside those with names,
# which people wrote and which stay.  So the corpora here were made, with
# 400 to 480 seconds a target, until another run brought next to nothing; after a
# change of a parser, do the same again and commit what comes out.
#
# The first comment of a target names what it needs beyond base/ and mail/:
#	/* fuzz-sources: src/wire/lex.c */
#	/* fuzz-libs: -lyaml */
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
grow=false
if [ "${1-}" = --grow ]; then
	grow=true
	shift
fi
seconds=${1:?usage: fuzz.sh [--grow] SECONDS [TARGET...]}
shift
work=${FUZZ_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/mochila-fuzz.XXXXXX")}
mkdir -p "$work"
cd "$top"
[ $# -gt 0 ] || set -- $(for f in tests/fuzz/fuzz-*.c; do
	basename "$f" .c | sed 's/^fuzz-//'
done)

build() { # TARGET
	source=tests/fuzz/fuzz-$1.c
	extra=$(sed -n 's|^/\* fuzz-sources: *\(.*[^ ]\) *\*/$|\1|p' "$source")
	libs=$(sed -n 's|^/\* fuzz-libs: *\(.*[^ ]\) *\*/$|\1|p' "$source")
	# shellcheck disable=SC2086
	clang -std=c11 -D_GNU_SOURCE -g -O1 -Isrc \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined \
		"$source" $extra src/base/*.c src/mail/*.c \
		-o "$work/fuzz-$1" $libs -lcrypto -lpthread
}

fuzz() { # TARGET OPTION... DIRECTORY...
	target=$1
	shift
	"$work/fuzz-$target" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$work/found/$target-" "$@" \
		>"$work/$target.log" 2>&1
}

# What has a name of 40 hexadecimal digits was grown.
keep() { # TARGET
	corpus=tests/fuzz/corpus/$1 next=$work/next-$1
	rm -rf "$next"
	mkdir "$next"
	for f in "$corpus"/*; do
		expr "${f##*/}" : '[0-9a-f]\{40\}$' >/dev/null ||
			cp "$f" "$next"
	done
	fuzz "$1" -set_cover_merge=1 "$next" "$corpus" "$work/corpus-$1" ||
		return 1
	rm -rf "$corpus"
	cp -r "$next" "$corpus"
	echo "$1: $(find "$corpus" -type f | wc -l) inputs," \
		"$(sed -n 's/.*MERGE-OUTER: *\(.* new coverage edges\).*/\1/p' \
			"$work/$1.log" | tail -n 1)"
}

status=0
for target in "$@"; do
	build "$target"
	mkdir -p "$work/corpus-$target" "$work/found"
	dict=
	[ ! -f "tests/fuzz/$target.dict" ] || dict=-dict=tests/fuzz/$target.dict
	echo "fuzz $target for $seconds s"
	# shellcheck disable=SC2086
	if ! fuzz "$target" -max_total_time="$seconds" -print_final_stats=1 \
		$dict "$work/corpus-$target" "tests/fuzz/corpus/$target"; then
		tail -n 40 "$work/$target.log" >&2
		echo "FINDING in $target: see $work/found" >&2
		status=1
	else
		grep -E 'number_of_executed_units|stat::' "$work/$target.log" |
			head -n 1
	fi
	! $grow || keep "$target" || status=1
done
if [ $status -eq 0 ] && [ -z "${FUZZ_DIR:-}" ]; then
	rm -rf "$work"
fi
exit $status
