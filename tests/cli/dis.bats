#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

@test "dis: shows source lines, instructions by their maps' names, and maps" {
	objects filter
	run skep dis filter.o
	[ "$status" = 0 ]
	[[ "$output" == *'program filter  section xdp, type xdp'* ]]
	[[ "$output" == *'; if (port != blocked_port) @ filter.bpf.c:'* ]]
	[[ "$output" == *'r1 = map[ports]'* ]]
	[[ "$output" == *'call bpf_map_lookup_elem#1'* ]]
	[[ "$output" =~ drops\ +ringbuf\ +0\ +0\ +65536 ]]
}

@test "dis: one program by name, unknown ones are refused with what there is" {
	objects chain
	run skep dis chain.o:look
	[ "$status" = 0 ]
	[[ "$output" == *'program look'* ]]
	[[ "$output" != *'program mark'* ]]
	run skep dis chain.o:nothing
	[ "$status" = 1 ]
	[[ "$output" == *"it has no program 'nothing'"* ]]
	[[ "$output" == *'it has: mark, look, snap'* ]]
}

@test "dis: JSON has bytes that assemble from its text" {
	objects chain
	skep dis -j chain.o:look >out.json
	grep '"text"' out.json | json text | skep asm -f hex | tr -d ' \n' >a
	grep '"text"' out.json | json bytes | tr -d '\n' >b
	[ -s a ]
	cmp a b
}

@test "dis: bare bytecode in hexadecimal comes back" {
	printf 'r1 = 0x1122334455667788\nexit\n' | skep asm >prog.hex
	run skep dis --hex prog.hex
	[ "$status" = 0 ]
	[ "${lines[0]}" = '     0: (18) r1 = 0x1122334455667788' ]
	[ "${lines[1]}" = '     2: (95) exit' ]
}

@test "dis: what is no object is named and refused" {
	echo nonsense >bad.o
	run skep dis bad.o
	[ "$status" = 1 ]
	[[ "$output" == *bad.o* ]]
	run skep dis nowhere.o
	[ "$status" = 1 ]
	[[ "$output" == *nowhere.o* ]]
}

@test "feature: lists are complete, JSON is a line each, wrong names get a suggestion" {
	[ "$(skep feature -j map_types | wc -l)" -ge 35 ]
	[ "$(skep feature -j helpers | wc -l)" = 212 ]
	[ "$(skep feature -j map_types | sed -n 2p | json name)" = hash ]
	skep feature -t xdp helpers | grep -q xdp_adjust_head
	run skep feature -t xdp helpers
	[[ "$output" != *skb_store_bytes* ]]
	run skep feature helper
	[ "$status" = 2 ]
	[[ "$output" == *"did you mean 'helpers'?"* ]]
}
