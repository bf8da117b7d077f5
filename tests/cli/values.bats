#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What programs see in targets where it is not obvious. (tests/linux/values compares all of it
# with the running kernel.)
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
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
	local priority=$((120 + $(nice)))
	seen ends
	[ "$(grep -c "^ends -34 $priority -1\$" said)" = 1 ]
	[ "$(grep -c "^ends -34 $priority 17\$" said)" = 2 ]
}

@test "values: a call is where it is, also when its code was moved" {
	seen call
	[ "$(grep '^call' said)" = "call $output 1" ]
}

@test "values: signals say whether they get there, and a child's end is one" {
	seen signalled
	[ "$(grep '^signal' said | head -n 4)" = "$(printf 'signal %s\n' '10 0' '10 2' '23 1' '17 1')" ]
}

@test "values: a process that a signal ends is seen to end, and ends by it" {
	objects seen
	while read -r status signal command; do
		run -"$status" skep run -o said -p ends seen.o -- sh -c "ulimit -c 0; $command"
		[ "$(grep -c '^ended' said)" = 1 ]
		grep -q "^ended $signal\$" said
	done <<-'END'
		143 15 kill -TERM $$
		139 11 kill -SEGV $$
		134 6 kill -ABRT $$
		141 13 kill -PIPE $$
		139 11 exec python3 -c 'import ctypes; ctypes.string_at(8)'
		124 15 timeout 0.1 sleep 60
	END
}

@test "values: signals that are ignored, or end nothing, end nothing" {
	objects seen
	run -0 skep run -o said -p ends seen.o -- \
		sh -c 'trap "" TERM; kill -TERM $$; kill -URG $$; kill -CONT $$; kill -WINCH $$'
	run ! grep '^ended' said
}

@test "values: a call's function is left before its registers have the result" {
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/seen.c"
	run -0 skep run -o said -p left -p exits seen.o -- ./command
	grep -q '^left -38 [0-9a-f]*$' said
	grep -qE '^exits ([0-9a-f]+) \1$' said
}

@test "values: what a program decides in a call's stead is what the kernel would return" {
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/seen.c"
	run -0 skep run -o said -p decides -p left -p exits seen.o -- ./command
	grep -q '^decides after 0$' said
	grep -q '^left -38 fffffffb$' said
	grep -q '^exits fffffffb fffffffb$' said
}

@test "values: functions of calls are told apart by where they are" {
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/seen.c"
	run -0 skep run -o said -p apart seen.o -- ./command
	[ "$(grep '^apart' said | cut -d ' ' -f 2 | sort -u | wc -l)" -gt 1 ]
	[ "$(grep '^apart' said | cut -d ' ' -f 2 | sort -u | wc -l)" = \
		"$(grep '^apart' said | cut -d ' ' -f 3 | sort -u | wc -l)" ]
	run ! grep -E '^apart.* 0$' said
}

@test "values: registers and stack are told of the current task, not of one that runs on" {
	seen saved
	[ "$(grep '^saved' said)" = "saved 1 1 1 -95" ]
}

# together STATUS HOW [THREADS [ENDERS]]: each thread's end is told once, by itself, and one is the last
# (though one that began to end before may tell of it after).
together() {
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/together.c"
	run -"$1" skep run -o said -p together seen.o -- ./command "${@:2}"
	grep '^together' said >told
	[ "$(wc -l <told)" = "${lines[0]}" ]
	[ "$(cut -d ' ' -f 2 told | sort -u | wc -l)" = "${lines[0]}" ]
	[ "$(cut -d ' ' -f 2 told)" = "$(cut -d ' ' -f 3 told)" ]
	[ "$(grep -c ' last 1 live 0 ' told)" = 1 ]
	[ "$(cut -d ' ' -f 11 told | sort -u | wc -l)" = 1 ]
}

@test "values: a process that ends tells of each of its threads, once" {
	together 3 exit 30
	[ "$(grep -c ' 300 ' told)" -ge 21 ]
	together 3 exit 3 1
	[ "$(grep -c ' ends 300 ' told)" = 1 ]
	together 3 exit 3 8 # all end it
	together 3 exit 0
}

@test "values: a signal that ends a process ends each of its threads" {
	together 143 signal 5
	[ "$(grep -c ' f last' told)" -ge 4 ]
	together 139 fault 4 1
	grep -q ' ends b last 0 ' told
}

@test "values: an exec ends each other thread, whoever makes it" {
	local how
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/together.c"
	for how in 'exec 8' 'exec 3 1' 'exec 3 3'; do
		# shellcheck disable=SC2086
		run -0 skep run -o said -p together -p begins seen.o -- ./command $how
		grep -n '^together' said >told
		# All but the one that goes on, which ends as the last; and each once.
		[ "$(wc -l <told)" = "${lines[0]}" ]
		[ "$(grep -c ' last 1 ' told)" = 1 ]
		tail -n 1 told | grep -q ' command 0 last 1 live 0 '
		[ "$(head -n -1 told | cut -d ' ' -f 2 | sort -u | wc -l)" = $((${lines[0]} - 1)) ]
		[ "$(cut -d ' ' -f 2 told)" = "$(cut -d ' ' -f 3 told)" ]
		# ... before the new program begins, the second.
		[ "$(head -n -1 told | tail -n 1 | cut -d : -f 1)" -lt "$(grep -n '^begins' said | tail -n 1 | cut -d : -f 1)" ]
	done
}

@test "values: an exec that fails ends nobody" {
	objects seen
	gcc -O2 -pthread -o command "$BATS_TEST_DIRNAME/objects/together.c"
	run -3 skep run -o said -p together seen.o -- ./command failing 4
	[ "$(grep -c '^together' said)" = "${lines[0]}" ]
	[ "$(grep -c ' last 1 live 0 ' said)" = 1 ]
}

@test "values: a handler returns by the call of its restorer" {
	objects seen
	gcc -O2 -o command "$BATS_TEST_DIRNAME/objects/returns.c"
	run -0 skep run -o said -p returns seen.o -- ./command
	[ "$(grep '^returns' said | head -n 2)" = "$(sed 's/$/ 1/' <<<"$output" | head -n 2)" ]
	[ "$(grep -c '^returns' said)" = 3 ]
}
