#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

@test "kernels: a table of programs and releases, and what is missing where" {
	objects ages
	run skep check --kernel 5.4,5.10,7.3 ages.o
	[ "$status" = 1 ]
	[[ "${lines[1]}" =~ ^\ +5\.4\ +5\.10\ +7\.3 ]]
	[[ "${lines[2]}" =~ always\ +yes\ +yes\ +yes ]]
	[[ "$output" =~ ring\ +no\ +yes\ +yes ]]
	[[ "$output" == *"map type: ringbuf (map 'events') (since 5.8)"* ]]
	[[ "$output" == *'helper: bpf_ringbuf_reserve (since 5.8)'*'not on 5.4; '*'ages.bpf.c:22: int *event'* ]]
}

# missing KERNEL PROGRAM: kind and name of what is missing, a line each.
missing() {
	skep check -j --kernel "$1" "ages.o:$2" | python3 -c '
import json, sys
for gap in json.load(sys.stdin)["kernels"][0]["missing"]:
    print(gap["kind"], gap["name"], gap["since"], sep="|")'
}

@test "kernels: what stands behind a test of the kernel's version is not needed before it" {
	objects ages
	[ -z "$(missing 5.4 guarded)" ]
	[ -z "$(missing 5.8 guarded)" ]
}

@test "kernels: instructions, helpers and context fields of later releases are named" {
	objects ages
	[[ "$(missing 5.10 looping)" == *'instructions|addresses of functions (callbacks)|5.13'* ]]
	[[ "$(missing 5.15 looping)" == 'helper|bpf_loop|5.17' ]]
	[ -z "$(missing 5.17 looping)" ]
	[[ "$(missing 5.15 stamped)" == 'context field|__sk_buff.tstamp_type|5.18' ]]
	[ -z "$(missing 5.18 stamped)" ]
}

@test "kernels: what an older verifier could not follow is named with its first release" {
	objects ages
	[[ "$(missing 5.10 copies)" == 'verifier|variable offsets into the stack: '*'|5.12' ]]
	[ -z "$(missing 5.12 copies)" ]
}

@test "kernels: global functions took pointers to memory some releases after they came" {
	objects ages
	[[ "$(missing 5.10 by_pointer)" == 'verifier|pointers to memory as arguments '*'|5.12' ]]
	[ -z "$(missing 5.12 by_pointer)" ]
}

@test "kernels: all is a list of long-term releases" {
	objects ages
	run skep check --kernel all ages.o:always
	[ "$status" = 0 ]
	[[ "${lines[1]}" =~ 5\.4\ +5\.10\ +5\.15\ +6\.1\ +6\.6\ +6\.12\ +6\.18\ +7\.3 ]]
}

@test "kernels: a wrong list is a wrong command line" {
	objects ages
	run skep check --kernel new ages.o
	[ "$status" = 2 ]
	[[ "$output" == *"'new' is neither a release (6.1), nor a file"* ]]
	run skep check --kernel 6.1=/no/such.btf ages.o
	[ "$status" = 1 ]
	[[ "$output" == *'/no/such.btf'* ]]
	run skep check --kernel '' ages.o
	[ "$status" = 2 ]
}
