#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

@test "check: accepts a good object and says how much work it was" {
	objects filter
	run skep check filter.o
	[ "$status" = 0 ]
	[[ "$output" =~ verdict\ +program\ +type\ +time\ +processed ]]
	[[ "$output" =~ accepted\ +filter\ +xdp\ +[0-9.]+\ ms\ +[0-9]+\ +[0-9]+ ]]
}

@test "check: a rejection has the verifier's reason and the source line" {
	objects bad
	run skep check bad.o:past_the_end
	[ "$status" = 1 ]
	[[ "$output" == *rejected* ]]
	[[ "$output" == *'min value is outside of the allowed memory range'* ]]
	[[ "$output" == *'return data[14] ? XDP_DROP : XDP_PASS;'* ]]
	[[ "$output" == *'bad.bpf.c:22'* ]]
}

@test "check: JSON is one object a program, as documented" {
	objects bad
	run skep check -j bad.o
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 3 ]
	[ "$(json v <<<"$output" | sort -u)" = 1 ]
	[ "$(json verdict <<<"${lines[0]}")" = accepted ]
	[ "$(json type <<<"${lines[0]}")" = xdp ]
	[ "$(json verdict <<<"${lines[1]}")" = rejected ]
	[ "$(json errno <<<"${lines[1]}")" = EACCES ]
	[[ "$(json message <<<"${lines[1]}")" == *'min value is outside of the allowed memory range' ]]
	[ "$(json source.line <<<"${lines[1]}")" = 22 ]
	[ "$(json insn <<<"${lines[1]}")" -ge 0 ]
}

@test "check: a missing kernel type does not take the other programs with it" {
	objects bad
	run skep check -j bad.o
	[ "$(json program <<<"${lines[2]}")" = no_type ]
	[ "$(json verdict <<<"${lines[2]}")" != accepted ]
	[ -n "$(json message <<<"${lines[2]}")" ]
}

@test "check: the log is shown on request, also in JSON" {
	objects filter
	run skep check --log 2 filter.o
	[ "$status" = 0 ]
	[[ "$output" == *'call bpf_map_lookup_elem#1'* ]]
	[[ "$(skep check -j --log 1 filter.o | json log)" != null ]]
}

@test "check: several objects get a summary; one that is none does not stop it" {
	objects filter chain
	echo nonsense >no.o
	run skep check filter.o no.o chain.o
	[ "$status" = 1 ]
	[[ "$output" == *'4 accepted, 0 rejected, 0 unloadable in 2 objects'* ]]
	[[ "$output" == *no.o* ]]
}

@test "check: C sources are compiled on the way, clang's errors are shown" {
	cp "$BATS_TEST_DIRNAME/objects/chain.bpf.c" .
	mkdir temporary
	export TMPDIR=$PWD/temporary
	run skep check chain.bpf.c
	[ "$status" = 0 ]
	echo 'int x = nonsense;' >wrong.bpf.c
	run skep check wrong.bpf.c
	[ "$status" = 1 ]
	[[ "$output" == *"use of undeclared identifier 'nonsense'"* ]]
	[[ "$output" == *'clang could not compile'* ]]
	CLANG=/nowhere/clang run skep check chain.bpf.c
	[ "$status" = 1 ]
	[[ "$output" == *'is not installed'* ]]
	[ -z "$(ls temporary)" ]
	TMPDIR=$PWD/nowhere run skep check chain.bpf.c
	[ "$status" = 1 ]
	[[ "$output" == *"cannot create a directory in '$PWD/nowhere'"* ]]
}

@test "check: unknown flags and programs are refused" {
	objects filter
	run skep check --flags nonsense filter.o
	[ "$status" = 2 ]
	run skep check --flags sleepable,strict_alignment filter.o
	[ "$status" != 2 ]
	run skep check filter.o:nothing
	[ "$status" = 1 ]
	[[ "$output" == *'it has: filter'* ]]
	run skep check
	[ "$status" = 2 ]
}

@test "check: --btf machine judges by the types of what Skep shows, and names a missing field" {
	objects task
	run skep check --btf machine task.o:parent
	[ "$status" = 0 ]
	run skep check --btf machine task.o:disk
	[ "$status" = 1 ]
	[[ "$output" == *'struct task_struct has no field bio_list'* ]]
}

@test "prog run: a field that the machine does not have is named, not the call in its place" {
	objects task
	run skep prog run task.o:disk
	[ "$status" = 1 ]
	[[ "$output" == *'error[L007]: struct task_struct has no field bio_list'* ]]
	[[ "$output" == *"the machine's tasks"* ]]
	[[ "$output" != *'unknown#'* ]]
}

@test "prog run: the current task is the process that runs the program" {
	objects task
	run bash -c '"$0" prog run task.o:parent -j; echo "$$"' "$SKEP"
	[ "$(json retval <<<"${lines[0]}")" = "${lines[1]}" ]
}

@test "check: JSON is valid whatever bytes a name has" {
	objects filter
	name=$(printf 'caf\303\251-\377-\355\240\200.o')
	cp filter.o "$name"
	skep check -j "$name" >out.json
	# what is UTF-8 stays; what is not becomes U+FFFD, a byte each
	python3 -c 'import json, sys; name = json.loads(open("out.json", "rb").read().decode("utf-8"))["object"]
assert name == "caf\u00e9-\ufffd-\ufffd\ufffd\ufffd.o", ascii(name)'
}

@test "check: capabilities that whoever loads it will have" {
	objects filter
	run skep check --unprivileged filter.o
	[ "$status" = 1 ]
	[[ "$output" == *'a program of type xdp needs CAP_BPF and CAP_NET_ADMIN'* ]]
	run skep check --caps bpf,CAP_NET_ADMIN filter.o
	[[ "$output" == *'R2 pointer -= pointer prohibited'* ]]
	run skep check --caps bpf,CAP_NET_ADMIN,perfmon filter.o
	[ "$status" = 0 ]
	run skep check --caps bpf,chown filter.o
	[ "$status" = 2 ]
	[[ "$output" == *"no capability 'chown' matters to programs"* ]]
	run skep check --caps bpf --unprivileged filter.o
	[ "$status" = 2 ]
}
