#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

@test "asm: what conformance runs is what was written" {
	printf 'r0 = *(u32 *)(r1 +0)\nr0 += r2\nexit\n' >prog.s
	skep asm prog.s >prog.hex
	run skep conformance '01 02 03 04' <prog.hex
	[ "$status" = 0 ]
	[ "$output" = 4030205 ]
	run skep conformance --interpreter 01020304 <prog.hex
	[ "$output" = 4030205 ]
}

@test "asm: reads standard input, writes raw bytes and C" {
	printf 'r0 = 42\nexit\n' | skep asm -f raw -o prog.bin
	[ "$(od -An -tx1 prog.bin | tr -d ' \n')" = b70000002a0000009500000000000000 ]
	run skep asm -f c - <<<'r0 = 42'
	[[ "$output" == *'.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 42 }, /* r0 = 42 */'* ]]
}

@test "asm: an error shows the line and a caret under its column, and writes nothing" {
	printf 'r0 = 1\n  if r0 ~ 5 goto x\n' >bad.s
	run skep asm bad.s -o out.hex
	[ "$status" = 1 ]
	[[ "$output" == *'bad.s:2'* ]]
	[[ "$output" == *'2 | if r0 ~ 5 goto x'* ]]
	[ ! -e out.hex ]
}

@test "asm: a file that is not there is named" {
	run skep asm nowhere.s
	[ "$status" = 1 ]
	[[ "$output" == *"cannot open 'nowhere.s'"* ]]
}

@test "conformance: an access outside the memory is refused by the interpreter" {
	printf 'r0 = *(u64 *)(r1 +0)\nexit\n' | skep asm >prog.hex
	run skep conformance -i 0102 <prog.hex
	[ "$status" = 1 ]
	[[ "$output" == *'access outside memory'* ]]
}

@test "conformance: bad hexadecimal is refused" {
	run skep conformance 0x12 </dev/null
	[ "$status" = 1 ]
	run skep conformance <<<'95 00'
	[ "$status" = 1 ]
	[[ "$output" == *'instructions are 8 each'* ]]
}

@test "conformance: a loop without end stops at the budget" {
	printf 'r0 = 0\nx: goto x\n' | skep asm >prog.hex
	run skep conformance -i --budget 1000 <prog.hex
	[ "$status" = 1 ]
	[[ "$output" == *J006* ]]
}
