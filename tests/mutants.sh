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
jobs=$(nproc)
limit=120 # seconds for a test that a mutant makes wait

die() {
	printf 'mutants: %s\n' "$*" >&2
	exit 2
}

field() { # MUTANT NAME
	sed -n "1,/^sed:/s/^$2: //p" "$1"
}

run_tests() { # LIST, in the place of a worker: true when all of them pass
	local kind what
	while read -r kind what; do
		case $kind in
		unit)
			make -C build -s "tests/unit/$what" &&
				(cd build &&
				timeout "$limit" "tests/unit/$what") || return 1
			;;
		e2e | model)
			make -C build -s mochila &&
				(MOCHILA=$PWD/build/mochila &&
				export MOCHILA &&
				cd "src/tests/$kind" && timeout "$limit" \
					/usr/bin/python3 -m pytest -q -x \
					-p no:cacheprovider "$what") || return 1
			;;
		*)	die "a test is unit, e2e or model, not $kind" ;;
		esac
	done <"$1"
}

try_test() { # LINE: what a mutant names must pass without it
	printf '%s\n' "$1" >list
	run_tests list >log 2>&1 && return
	tail -40 log
	die "$1 fails without any mutant"
}

try_mutant() { # FILE
	local m=$1 name=${1##*/} file changed removed want
	file=src/$(field "$m" file)
	want=$(field "$m" lines)
	field "$m" test >list
	[ -s list ] || die "$name names no test"
	[ -f "$file" ] || die "$name: no file $(field "$m" file)"
	cp -p "$file" saved
	sed '1,/^sed:/d' "$m" >script
	sed -E -f script saved >"$file" || die "$name: not a sed script"
	changed=$(diff saved "$file" | grep -c '^[<>]' || true)
	removed=$(diff saved "$file" | grep -c '^<' || true)
	[ "$changed" -gt 0 ] && [ "$removed" -eq "${want:-1}" ] ||
		die "$name does not fit the sources any more" \
			"($removed lines, wanted ${want:-1})"
	if ! make -C build -s mochila >log 2>&1; then
		cat log
		die "$name does not compile"
	fi
	if run_tests list >log 2>&1; then
		printf 'SURVIVED  %-22s %s\n' "$name" "$(field "$m" what)"
		: >"$work/survived/$name"
	else
		printf 'killed    %-22s %s\n' "$name" "$(field "$m" what)"
	fi
	cp saved "$file" # with a new time: make must see it
}

# Each worker has a place with sources and objects of its own, and takes what
# no other has taken yet.
worker() { # PLACE FUNCTION ITEM...
	local what=$2 item n=0
	cd "$work/$1" || return 2
	shift 2
	for item in "$@"; do
		n=$((n + 1))
		mkdir "$work/taken/$n" 2>/dev/null || continue
		"$what" "$item"
	done
}

share() { # FUNCTION ITEM...: by all of the workers
	local i rc=0 pids=()
	rm -rf "$work/taken"
	mkdir "$work/taken"
	for ((i = 0; i < jobs; i++)); do
		worker "$i" "$@" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || rc=2
	done
	[ "$rc" -eq 0 ] || exit "$rc"
}

if [ $# -gt 0 ]; then
	mutants=("${@/#/$top/tests/mutants/}")
else
	mutants=("$top"/tests/mutants/*)
fi
for m in "${mutants[@]}"; do
	[ -f "$m" ] || die "no mutant ${m##*/}"
done
mapfile -t tests < <(for m in "${mutants[@]}"; do field "$m" test; done |
	sort -u)

# The sources as they are here, built once; in each copy, then, one file
# changes at a time.  What make knows of it has no path that is absolute.
mkdir "$work/0" "$work/0/src" "$work/0/build" "$work/survived"
cd "$work/0"
(cd "$top" && tar -cf - --exclude=.git --exclude='*.o' --exclude=__pycache__ \
	.) | tar -xf - -C src
[ -x src/configure ] || (cd src && autoreconf -fi >/dev/null)
(cd src && [ ! -f config.status ] || make -s distclean >/dev/null)
(cd build && ../src/configure -q CFLAGS='-O1' && make -s -j"$jobs") \
	>log 2>&1 || { cat log; die "no build"; }
for ((i = 1; i < jobs; i++)); do
	cp -a "$work/0" "$work/$i"
done

share try_test "${tests[@]}"
share try_mutant "${mutants[@]}"
survived=$(find "$work/survived" -type f | wc -l)
printf '%d mutants, %d survived\n' "${#mutants[@]}" "$survived"
[ "$survived" -eq 0 ]
