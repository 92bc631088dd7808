#!/bin/sh
# Each numbered case of doc/merge-table.md has a name in the enums of src/plan,
# a comment "case N" where it is decided, and a test called test_case_N_...;
# and the enums have no number that the tables lack (make check).
set -eu
: "${srcdir:=.}"
status=0

complain() {
	echo "check-cases: case $1 $2" >&2
	status=1
}

has() { # NUMBER LIST
	printf '%s\n' "$2" | grep -qx -- "$1"
}

table=$srcdir/doc/merge-table.md
cases=$(sed -n 's/^| *\([0-9][0-9]*\) *|.*/\1/p' "$table")
if [ -z "$cases" ]; then
	echo "check-cases: no case in the tables of $table" >&2
	exit 1
fi
twice=$(printf '%s\n' "$cases" | sort | uniq -d)
for n in $twice; do
	complain "$n" "is in doc/merge-table.md twice"
done

named=$(sed -n 's/^	[A-Z_]*CASE_[A-Z_]* = \([0-9][0-9]*\).*/\1/p' \
	"$srcdir/src/plan/plan.h" "$srcdir/src/plan/tree.h")

# The numbers in comments: "case 5", "cases 5 and 6", "cases 1 to 4, and 19".
# What a file opens with is about all of it, and names no place.
cited=$(find "$srcdir/src" -name '*.c' -exec awk '
	function number(s) {
		sub(/^[^0-9]*/, "", s)
		return s + 0
	}
	BEGIN {
		some = "[Cc]ases? [0-9]+((,|,? and|,? or| to) [0-9]+)*"
	}
	function look(s, list, sep, last, n) {
		while (match(s, some)) {
			list = substr(s, RSTART, RLENGTH)
			s = substr(s, RSTART + RLENGTH)
			last = 0
			while (match(list, /[^0-9]*[0-9]+/)) {
				sep = substr(list, 1, RLENGTH)
				list = substr(list, RLENGTH + 1)
				n = number(sep)
				if (sep !~ / to /)
					last = n - 1
				while (last < n)
					print ++last
			}
		}
	}
	FNR == 1 {
		inside = 0
	}
	{
		line = $0
		while (line != "") {
			if (!inside) {
				at = index(line, "/*")
				if (at == 0)
					break
				line = substr(line, at + 2)
				inside = 1
				head = FNR == 1
				text = ""
			}
			at = index(line, "*/")
			if (at == 0) {
				sub(/^[ \t]*\*/, "", line)
				text = text line
				break
			}
			text = text substr(line, 1, at - 1)
			line = substr(line, at + 2)
			inside = 0
			if (!head)
				look(text)
		}
	}' {} +)

tested=$(sed -n \
	-e 's/^test_case_\([0-9][0-9]*\)_.*/\1/p' \
	-e 's/^[ 	]*def test_case_\([0-9][0-9]*\)_.*/\1/p' \
	"$srcdir"/tests/unit/*.c "$srcdir"/tests/e2e/*.py)

for n in $cases; do
	has "$n" "$named" ||
		complain "$n" "has no name in src/plan/plan.h or src/plan/tree.h"
	has "$n" "$cited" ||
		complain "$n" "is in no comment of src/: who decides it?"
	has "$n" "$tested" ||
		complain "$n" "has no test: none is called test_case_${n}_..."
done
for n in $named; do
	has "$n" "$cases" || complain "$n" "is not in doc/merge-table.md"
done
exit $status
