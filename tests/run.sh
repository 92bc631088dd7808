#!/usr/bin/env bash
# tests/run.sh: install what the tests need, build, run all of them.
#
#   tests/run.sh                 everything that CI runs; a sample of what is
#                                long and many
#   tests/run.sh --full          all of it, more histories, mutants, and every
#                                point of each kind of fault (an hour and a
#                                quarter on two processors: doc/reliability.md)
#   tests/run.sh --soak SECONDS  and random faults and histories, that long
#
# MOCHILA_SEED repeats the random choices of a run: it is printed.
# FUZZ_SECONDS (default 12) is the time for each fuzz target.
# MOCHILA_TIER (fast, full, soak) and MOCHILA_SOAK_SECONDS say the same to the
# tests.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/packages.sh"

export MOCHILA_TIER=${MOCHILA_TIER:-fast}
export MOCHILA_SOAK_SECONDS=${MOCHILA_SOAK_SECONDS:-3600}
case ${1-} in
"") ;;
--full) MOCHILA_TIER=full ;;
--soak) MOCHILA_TIER=soak MOCHILA_SOAK_SECONDS=${2:?seconds} ;;
*)
	echo "usage: tests/run.sh [--full | --soak SECONDS]" >&2
	exit 64
	;;
esac

# shellcheck disable=SC2086
need $BUILD_PACKAGES clang libcmocka-dev dovecot-core dovecot-imapd \
	e2fsprogs lmdb-utils openssl procps util-linux mandoc python3 \
	python3-pytest strace
# the sanitizers' run-time for clang is a package of its own
version=$(clang -dumpversion | cut -d. -f1)
need "libclang-rt-$version-dev"
unpack_servers

work=$(mktemp -d /tmp/mochila-tests-XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
jobs=$(nproc)

say() {
	printf '\n== %s\n' "$*"
}

build() { # NAME CC FLAGS...
	local dir=$work/$1 cc=$2
	shift 2
	mkdir "$dir"
	(cd "$dir" && "$top/configure" -q CC="$cc" --enable-werror "$@" &&
		make -s -j"$jobs")
}

say "configure scripts"
# out of tree: a clean clone stays clean but for what autoreconf makes
(cd "$top" && autoreconf -fi >/dev/null)

# (distcheck runs the unit tests with gcc)
say "gcc: build"
build gcc gcc

say "clang with AddressSanitizer and UBSan: build, unit tests"
build clang clang --enable-sanitizers CFLAGS='-O1 -g'
VERBOSE=1 make -C "$work/clang" -s -j"$jobs" check

say "manual pages"
mandoc -T lint -W warning "$top"/doc/mochila.1 "$top"/doc/mochila.yaml.5

say "fuzzing, ${FUZZ_SECONDS:-12} seconds a target"
bash "$top/tests/fuzz/fuzz.sh" "${FUZZ_SECONDS:-12}"

say "install"
make -C "$work/gcc" -s install DESTDIR="$work/dest" >/dev/null
"$work/dest/usr/local/bin/mochila" --version

say "distcheck: the tarball, unit tests with gcc"
(cd "$work/gcc" && VERBOSE=1 make -s -j"$jobs" distcheck \
	>"$work/distcheck.log" 2>&1) ||
	{ tail -300 "$work/distcheck.log"; exit 1; }

say "quickstart"
MOCHILA_BINARY=$work/gcc/mochila bash "$top/examples/quickstart.sh"

# Each file of whole-program tests by itself, the long ones first, and one more
# at once than there are processors, since they wait for servers and disks.
# They get a file system in memory where it has 4 GiB to spare; what is to be
# seen of a disk, the faults show.
memory=/tmp
if [ "$(df --output=avail /dev/shm 2>/dev/null | tail -n 1 || echo 0)" \
	-gt 4194304 ] && [ -w /dev/shm ]; then
	memory=/dev/shm
fi

# In the full tier each test of faults is by itself: some of them try
# thousands of points; and each of the many histories.  Backwards, so that the
# many short ones of test_calls.py come last and keep all processors busy to the
# end.
pieces() { # DIRECTORY
	case $MOCHILA_TIER,$1 in
	full,crash | full,model)
		/usr/bin/python3 -m pytest -q -p no:cacheprovider \
			--collect-only | grep :: | tac
		;;
	*)
		find . -name 'test_*.py' ! -name test_acceptance.py \
			! -name test_many.py -printf '%s %f\n' |
			sort -rn | cut -d' ' -f2
		;;
	esac
}

# What fails here does not keep the rest from being tried.
failed=0

pytests() { # BINARY DIRECTORY [GREP-OPTION]...: those pieces whose names fit
	local binary=$1 dir=$2
	shift 2
	cd "$top/tests/$dir"
	pieces "$dir" | grep "${@:-.}" |
		MOCHILA=$binary xargs -d '\n' -P "$((jobs + 1))" -I PIECE \
			bash -c 'one "$0"' PIECE || failed=1
}

one() { # PIECE
	local log
	log=$(mktemp "$logs/XXXXXX")
	if /usr/bin/python3 -m pytest -q -p no:cacheprovider "$1" \
		>"$log" 2>&1 </dev/null; then
		printf '%s: %s\n' "$1" "$(tail -n 1 "$log")"
	else
		cat "$log"
		printf '%s: failed\n' "$1"
		return 1
	fi
}
export -f one
export logs=$work/logs
mkdir "$logs"

# To look for leaks at the end takes half of the time of a short run: the unit
# tests always do, whole programs in the full tier.
[ "$MOCHILA_TIER" != fast ] || export ASAN_OPTIONS=detect_leaks=0

# In the fast tier only what gives the program something odd to read, or little
# to work with, has the sanitizers' binary, which takes twice the time.
odd='test_\(bad\|compress\|hostile\|large\|less\|local\|odd\|scripted\)'
if [ "$MOCHILA_TIER" = fast ]; then
	say "whole program against Dovecot, Cyrus and Courier"
	TMPDIR=$memory pytests "$work/gcc/mochila" e2e -v "$odd"
else
	odd=.
fi
say "whole program, with AddressSanitizer"
TMPDIR=$memory pytests "$work/clang/mochila" e2e "$odd"

say "many accounts at once, with ThreadSanitizer"
mkdir "$work/tsan"
(cd "$work/tsan" &&
	"$top/configure" -q CC=clang --enable-werror --enable-tsan \
		CFLAGS='-O1 -g' &&
	make -s -j"$jobs" mochila tests/unit/test-base-pool &&
	tests/unit/test-base-pool)
(cd "$top/tests/e2e" &&
	MOCHILA=$work/tsan/mochila TMPDIR=$memory one test_jobs.py) || failed=1

say "parts of the bench"
pytests "$work/gcc/mochila" bench

say "random histories against a model, with AddressSanitizer"
TMPDIR=$memory pytests "$work/clang/mochila" model

if [ "$MOCHILA_TIER" != fast ]; then
	say "mutants"
	TMPDIR=$memory bash "$top/tests/mutants.sh" || failed=1
	say "memory that a large mailbox takes"
	(cd "$top/tests/e2e" && MOCHILA=$work/gcc/mochila TMPDIR=$memory \
		/usr/bin/python3 -m pytest -q -p no:cacheprovider \
		test_slices.py::test_memory_does_not_grow_with_the_mailbox) ||
		failed=1
fi

# (the other tests of test_moves.py have been run)
say "10,000 messages, 300 changes; a thousand moves; a hundred accounts"
cd "$top/tests/e2e"
TMPDIR=$memory MOCHILA=$work/gcc/mochila /usr/bin/python3 -m pytest -q \
	-p no:cacheprovider test_acceptance.py test_many.py \
	test_moves.py::test_a_thousand_messages_move_for_a_hundredth_of_their_octets ||
	failed=1

say "faults: kills, full disks, power cuts, bad lines, lies ($MOCHILA_TIER)"
if [ "$MOCHILA_TIER" = fast ]; then
	pytests "$work/gcc/mochila" crash
else
	# Cyrus and Courier are waited for, rather than keep a processor busy:
	# what is left of it by the others is enough for many of them at once.
	(
		renice -n 10 -p "$BASHPID" >/dev/null
		jobs=$((4 * jobs))
		pytests "$work/gcc/mochila" crash others
		exit "$failed"
	) &
	others=$!
	pytests "$work/gcc/mochila" crash -v others
	wait "$others" || failed=1
fi
exit "$failed"
