#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run OBJECT -- COMMAND: code that becomes code after it was mapped.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
	cd "$BATS_FILE_TMPDIR" || return
	local objects=$BATS_TEST_DIRNAME/objects
	gcc -O1 -o made "$objects/made.c"
	# lea 1(%rdi),%eax, and short instructions before it; code that a linker must change.
	cat >library.s <<-'END'
		.text
		.globl work, other
		.type work, @function
		.type other, @function
		work:
			push %rbx
			pop %rbx
			nop
			lea 1(%rdi), %eax
			ret
			.size work, . - work
		other:
			movabs $number, %rax
			mov (%rax), %eax
			ret
			.size other, . - other
		.data
		number: .long 42
		.section .note.GNU-stack, "", @progbits
	END
	gcc -shared -nostdlib -Wl,-z,notext -o library.so library.s 2>linked
	cat >uses.c <<-'END'
		int work(int), other(void);
		int main(void)
		{
			int sum = 0;
			for (int i = 0; i < 6; i++)
				sum += work(i) + other();
			return sum == 21 + 6 * 42 ? 0 : 1;
		}
	END
	gcc -O1 -o uses uses.c "$PWD/library.so"
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" "-DLIB=\"$PWD/library.so\"" \
		-c "$objects/made.bpf.c" -o made.o
}

# count_of KEY: of the map calls.
count_of() {
	awk -v key="$1" '/^calls/ { here = 1 } here && $1 == key { found = $2; exit }
		END { print found == "" ? 0 : found }' text
}

@test "made: calls of code that is written at run time are seen" {
	skep run -o text "$BATS_FILE_TMPDIR/made.o" -- "$BATS_FILE_TMPDIR/made"
	# Those of the C library as well.
	[ "$(count_of 0)" = 42 ]
}

@test "made: a file that is code after it was data has its probes, and loses them" {
	offset=$(objdump -F -d "$BATS_FILE_TMPDIR/library.so" | sed -n 's/.*<work> (File Offset: \(0x[0-9a-f]*\)).*/\1/p')
	skep run -o text "$BATS_FILE_TMPDIR/made.o" -- "$BATS_FILE_TMPDIR/made" \
		"$BATS_FILE_TMPDIR/library.so" "$offset"
	[ "$(count_of 1)" = 5 ]
}

@test "made: code that the linker relocates is what it would be, and the rest has its probes" {
	readelf -d "$BATS_FILE_TMPDIR/library.so" | grep -q TEXTREL
	"$BATS_FILE_TMPDIR/uses"
	skep run -o text "$BATS_FILE_TMPDIR/made.o" -- "$BATS_FILE_TMPDIR/uses"
	[ "$(count_of 1)" = 6 ]
}
