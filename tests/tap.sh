# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Tests in shell, as TAP. Source it; end with "finish".

tests=0 failed=0

# ok NAME COMMAND...: one test; what the command prints is shown when it fails.
ok() {
	local what=$1 output
	shift
	tests=$((tests + 1))
	if output=$("$@" 2>&1); then
		echo "ok $tests - $what"
	else
		echo "not ok $tests - $what"
		failed=1
		printf '%s\n' "$output" | sed 's/^/# /'
	fi
}

# skip WHY: one test that is left out.
skip() {
	tests=$((tests + 1))
	echo "ok $tests # SKIP $1"
}

not() {
	! "$@"
}

# contains TEXT OUTPUT
contains() {
	printf '%s\n' "$2" | grep -F -- "$1" || {
		printf 'not in this output: %s\n%s\n' "$1" "$2"
		return 1
	}
}

# log_is_clean FILE [KNOWN]: the kernel has warned of nothing in the console's log, which there is. Lines
# that match KNOWN do not count.
log_is_clean() {
	local words status=0 lines
	words='BUG:|WARNING:|Oops|\] Call Trace|cut here|kernel BUG|Kernel panic|kmemleak: [^0-9]|KASAN|UBSAN'
	words+='|possible (circular|recursive) locking|INFO: trying to register|Unable to handle|general protection'
	words+='|refcount_t:|stack-protector|hung_task|blocked for more than|soft lockup|rcu.*detected.*stall'
	words+='|nobody cared|Trying to free nonexistent|usage count underflow'
	[ -s "$1" ] || { echo "there is no $1, or nothing in it"; return 1; }
	lines=$(grep -nE "$words" "$1") || status=$?
	[ "$status" -le 1 ] || return
	lines=$(grep -vE "${2:-^\$}" <<<"$lines" | grep .) || return 0
	printf '%s\n' "$lines"
	return 1
}

finish() {
	echo "1..$tests"
	exit "$failed"
}
