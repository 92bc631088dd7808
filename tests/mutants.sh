#!/usr/bin/env bash
# tests/mutants.sh: do the tests notice when the program is wrong?
#
#	tests/mutants.sh [NAME...]
#
# Each file of tests/mutants/ is a small bug: a change to one source, made by
# sed, and the quick tests one of which must fail with it.  A change that
# does not fit the sources any more is an error, as is a test that fails
# without it.  The exit status is 0 when every mutant is noticed.
#
#	what: one line for people
#	file: src/...
#	lines: how many lines the change touches (1)
#	test: unit NAME | e2e FILE::TEST | model FILE::TEST
#	sed: what follows, to the end of the file
set -euo pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d /tmp/mochila-mutants-XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
src=$work/src build=$work/build
limit=120 # seconds for a test that a mutant makes wait

die() {
	printf 'mutants: %s\n' "$*" >&2
	exit 2
}

field() { # MUTANT NAME
	sed -n "1,/^sed:/s/^$2: //p" "$1"
}

run_tests() { # MUTANT: true when all of its tests pass
	local kind what
	while read -r kind what; do
		case $kind in
		unit)
			make -C "$build" -s "tests/unit/$what" &&
				(cd "$build" &&
				timeout "$limit" "tests/unit/$what") || return 1
			;;
		e2e | model)
			make -C "$build" -s mochila &&
				(cd "$src/tests/$kind" &&
				MOCHILA=$build/mochila timeout "$limit" \
					/usr/bin/python3 -m pytest -q -x \
					-p no:cacheprovider "$what") || return 1
			;;
		*)	die "$1: a test is unit, e2e or model, not $kind" ;;
		esac
	done <"$work/tests"
}

# The sources as they are here, built once; then one file changes at a time.
mkdir "$src" "$build"
(cd "$top" && tar -cf - --exclude=.git --exclude='*.o' --exclude=__pycache__ \
	.) | tar -xf - -C "$src"
[ -x "$src/configure" ] || (cd "$src" && autoreconf -fi >/dev/null)
(cd "$src" && [ ! -f config.status ] || make -s distclean >/dev/null)
(cd "$build" && "$src/configure" -q CFLAGS='-O1' && make -s -j"$(nproc)") \
	>"$work/build.log" 2>&1 || { cat "$work/build.log"; die "no build"; }

if [ $# -gt 0 ]; then
	mutants=("${@/#/$top/tests/mutants/}")
else
	mutants=("$top"/tests/mutants/*)
fi

# What the mutants name must pass without them.
for m in "${mutants[@]}"; do
	[ -f "$m" ] || die "no mutant ${m##*/}"
	field "$m" test
done | sort -u >"$work/tests"
run_tests "" >"$work/log" 2>&1 || {
	tail -40 "$work/log"
	die "a test fails without any mutant"
}

survived=0
for m in "${mutants[@]}"; do
	name=${m##*/} file=$src/$(field "$m" file)
	want=$(field "$m" lines)
	field "$m" test >"$work/tests"
	[ -f "$file" ] || die "$name: no file $(field "$m" file)"
	cp -p "$file" "$work/saved"
	sed '1,/^sed:/d' "$m" >"$work/script"
	sed -E -f "$work/script" "$work/saved" >"$file" ||
		die "$name: not a sed script"
	changed=$(diff "$work/saved" "$file" | grep -c '^[<>]' || true)
	removed=$(diff "$work/saved" "$file" | grep -c '^<' || true)
	[ "$changed" -gt 0 ] && [ "$removed" -eq "${want:-1}" ] ||
		die "$name does not fit the sources any more" \
			"($removed lines, wanted ${want:-1})"
	if ! make -C "$build" -s mochila >"$work/log" 2>&1; then
		cat "$work/log"
		die "$name does not compile"
	fi
	if run_tests "$m" >"$work/log" 2>&1; then
		printf 'SURVIVED  %-22s %s\n' "$name" "$(field "$m" what)"
		survived=$((survived + 1))
	else
		printf 'killed    %-22s %s\n' "$name" "$(field "$m" what)"
	fi
	cp "$work/saved" "$file" # with a new time: make must see it
done
printf '%d mutants, %d survived\n' "${#mutants[@]}" "$survived"
[ "$survived" -eq 0 ]
