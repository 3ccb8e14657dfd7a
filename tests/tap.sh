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

# skip NAME WHY
skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # skip $2"
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

finish() {
	echo "1..$tests"
	exit "$failed"
}
