#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What programs see in targets where it is not obvious. (tests/linux/values compares all of it
# with the running kernel.)
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || skip "targets are x86-64"
}

# seen PROGRAM: what it says of the command, in the file said.
seen() {
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/seen.c"
	run -0 skep run -o said -p "$1" seen.o -- ./command
}

@test "values: when a program begins, a look at what is not there is only told so" {
	seen begins
	grep -q '^begins -34$' said
	run ! grep 'not followed' said
}

@test "values: the end of a thread, when it lets no signal in, may be looked into" {
	seen ends
	[ "$(grep -c '^ends -34 120 -1$' said)" = 1 ]
	[ "$(grep -c '^ends -34 120 17$' said)" = 2 ]
}

@test "values: a call is where it is, also when its code was moved" {
	seen call
	[ "$(grep '^call' said)" = "call $output 1" ]
}

@test "values: signals say whether they get there, and a child's end is one" {
	seen signalled
	[ "$(grep '^signal' said | head -n 4)" = "$(printf 'signal %s\n' '10 0' '10 2' '23 1' '17 1')" ]
}
