#!/bin/sh
# usage: tests/fuzz/fuzz.sh [--grow] SECONDS [TARGET...]
#
# Builds each fuzz target with clang's libFuzzer, AddressSanitizer and UBSan,
# and runs it for SECONDS from its corpus.  Works in a directory of its own
# (FUZZ_DIR); a finding is left there and its path printed.
#
# With --grow, what reached new code comes into tests/fuzz/corpus: the fewest
# inputs that reach all of it, named by their SHA-1, beside those with names,
# which people wrote and which stay.  After a change of a parser, do so until the
# second half of a run brings no more coverage, and commit what comes out.
#
# A run ends with one line of the table in doc/reliability.md: inputs at its
# start; coverage (edges) at the start, after half of the executions and at the
# end; the same of features (edges, and how often); executions; seconds.
#
# The first comments of a target name what it needs beyond base/ and mail/, and
# how long its inputs get (4096):
#	/* fuzz-sources: src/wire/lex.c */
#	/* fuzz-libs: -lyaml */
#	/* fuzz-max-len: 600 */
# and, where its corpus would get too large, that what reaches an edge more often
# than others is not kept:
#	/* fuzz-counters: 0 */
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
echo '#define PACKAGE_VERSION "0"' >"$work/config.h"
cd "$top"
[ $# -gt 0 ] || set -- $(for f in tests/fuzz/fuzz-*.c; do
	basename "$f" .c | sed 's/^fuzz-//'
done)

says() { # TARGET WORD
	sed -n "s|^/\\* fuzz-$2: *\\(.*[^ ]\\) *\\*/\$|\\1|p" "tests/fuzz/fuzz-$1.c"
}

sanitized() { # OPTION...
	clang -std=c11 -D_GNU_SOURCE -g -O1 -I"$top/src" -I"$work" \
		-fno-sanitize-recover=undefined "$@"
}

# What all of them need, once.
build_common() {
	rm -rf "$work/common" "$work/common.a"
	mkdir "$work/common"
	(cd "$work/common" &&
		sanitized -fsanitize=fuzzer-no-link,address,undefined -c \
			"$top"/src/base/*.c "$top"/src/mail/*.c &&
		ar rc ../common.a ./*.o)
}

build() { # TARGET
	extra=$(says "$1" sources)
	libs=$(says "$1" libs)
	# shellcheck disable=SC2086
	sanitized -fsanitize=fuzzer,address,undefined "tests/fuzz/fuzz-$1.c" \
		$extra "$work/common.a" -o "$work/fuzz-$1" $libs -lcrypto \
		-lpthread
}

fuzz() { # TARGET OPTION... DIRECTORY...
	target=$1
	max=$(says "$1" max-len)
	shift
	"$work/fuzz-$target" -max_len="${max:-4096}" -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$work/found/$target-" "$@" \
		>"$work/$target.log" 2>&1
}

# What libFuzzer wrote down, as a line of the table.
figures() { # TARGET INPUTS
	awk -v target="$1" -v inputs="$2" '
	/^#[0-9]+\t/ && $3 == "cov:" {
		at[++n] = substr($1, 2) + 0
		cov[n] = $4
		ft[n] = $6
		if ($2 == "INITED")
			start = n
	}
	/^Done [0-9]+ runs in [0-9]+ second/ { runs = $2; seconds = $5 }
	END {
		for (half = start; half < n && at[half + 1] <= runs / 2;)
			half++
		printf "| %s | %d | %d, %d, %d | %d, %d, %d | %d | %d |\n",
			target, inputs, cov[start], cov[half], cov[n],
			ft[start], ft[half], ft[n], runs, seconds
	}' "$work/$1.log"
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
	counters=$(says "$1" counters)
	fuzz "$1" -set_cover_merge=1 -use_counters="${counters:-1}" "$next" \
		"$corpus" "$work/corpus-$1" || return 1
	rm -rf "$corpus"
	cp -r "$next" "$corpus"
	echo "$1: $(find "$corpus" -type f | wc -l) inputs," \
		"$(sed -n 's/.*MERGE-OUTER: *\(.* new coverage edges\).*/\1/p' \
			"$work/$1.log" | tail -n 1)"
}

one() { # TARGET
	target=$1 status=0
	build "$target"
	mkdir -p "$work/corpus-$target" "$work/found"
	dict=
	[ ! -f "tests/fuzz/$target.dict" ] || dict=-dict=tests/fuzz/$target.dict
	echo "fuzz $target for $seconds s"
	inputs=$(find "$work/corpus-$target" "tests/fuzz/corpus/$target" \
		-type f | wc -l)
	# shellcheck disable=SC2086
	if ! fuzz "$target" -max_total_time="$seconds" -print_final_stats=1 \
		$dict "$work/corpus-$target" "tests/fuzz/corpus/$target"; then
		tail -n 40 "$work/$target.log" >&2
		echo "FINDING in $target: see $work/found" >&2
		status=1
	else
		figures "$target" "$inputs"
	fi
	! $grow || keep "$target" || status=1
	return $status
}

build_common
# As many at once as there are processors.
status=0 pids=
jobs=$(nproc)
for target in "$@"; do
	# shellcheck disable=SC2086
	set -- $pids
	if [ $# -ge "$jobs" ]; then
		wait "$1" || status=1
		shift
		pids="$*"
	fi
	one "$target" &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || status=1
done
if [ $status -eq 0 ] && [ -z "${FUZZ_DIR:-}" ]; then
	rm -rf "$work"
fi
exit $status
