#!/bin/sh
# Every fuzz target over its corpus, without libFuzzer (make check).
set -eu
: "${srcdir:=.}"
status=0
for source in "$srcdir"/tests/fuzz/fuzz-*.c; do
	name=$(basename "$source" .c)
	target=${name#fuzz-}
	"./tests/fuzz/$name" "$srcdir/tests/fuzz/corpus/$target" || {
		echo "FAILED: $name" >&2
		status=1
	}
done
exit $status
