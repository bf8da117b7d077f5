#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

# verdict_of PROGRAM TARGET: verdict and message of a program of guest.o
verdict_of() {
	run skep check --btf machine -j --target "$2" "guest.o:$1"
	echo "$output"
	verdict=$(json verdict <<<"$output")
	message=$(json message <<<"$output" 2>/dev/null || true)
}

@test "check --target: what fits a function of another program is accepted" {
	objects host guest
	for name in same with_context with_memory look look_after; do
		verdict_of $name host.o:classify
		[ "$status" = 0 ]
		[ "$verdict" = accepted ]
	done
}

@test "check --target: an extension must look as what it replaces" {
	objects host guest
	while IFS='|' read -r name text; do
		verdict_of "$name" host.o:classify
		[ "$status" = 1 ]
		[ "$verdict" = rejected ]
		[[ "$message" == *"$text"* ]]
	done <<-'END'
		wider|arg0 in wider() has size 8 while pick() has 4
		more|more() has 2 args while pick() has 1 args
		nothing|Return type UNKNOWN of nothing() doesn't match type INT of pick()
		other_record|arg0 other_record(struct other *) doesn't match judge(struct rule *)
		careless|R1 invalid mem access 'mem_or_null'
		changes|Extension program changes packet data, while original does not
		not_global|Cannot replace static functions
	END
}

@test "check --target: fentry and fexit see what the function is known to be given" {
	objects host guest
	while IFS='|' read -r name text; do
		verdict_of "$name" host.o:classify
		[ "$status" = 1 ]
		[ "$verdict" = rejected ]
		[[ "$message" == *"$text"* || "$output" == *"$text"* ]]
	done <<-'END'
		too_many|func 'pick' doesn't have 2-th argument
		no_result|func 'hidden' doesn't have 6-th argument
		modifies|can't modify return codes of BPF programs
		sleeps|pick is not sleepable
	END
}

@test "check --target: an extension returns what the target's type may return" {
	objects host guest
	verdict_of same host.o:connect
	[ "$verdict" = rejected ]
	[[ "$message" == *'should have been in [0, 1]'* ]]
}

@test "check --target: a function of no target, or of another program, is refused" {
	objects host guest
	verdict_of not_there host.o
	[ "$verdict" = unloadable ]
	[[ "$message" == *"has no function 'missing'"* ]]
	verdict_of with_context host.o:connect
	[ "$verdict" = rejected ]
	[[ "$message" == *"Subprog weigh doesn't exist"* ]]
}

@test "check --target: a target that is not there or not accepted is told of" {
	objects host guest bad
	run skep check --target host.o:nobody guest.o
	[ "$status" = 1 ]
	[[ "$output" == *"it has no program 'nobody'"* ]]
	run skep check guest.o:same
	[ "$status" = 1 ]
	[[ "$output" == *"replaces 'pick' of a loaded program, and none is given"* ]]
	[[ "$output" == *'--target'* ]]
}
