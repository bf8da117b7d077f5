#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run OBJECT -- COMMAND: programs at functions and static probes of the command's files.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
	command -v g++ >/dev/null || { unable "no g++"; return; }
	cd "$BATS_FILE_TMPDIR" || return
	local objects=$BATS_TEST_DIRNAME/objects
	g++ -O1 -o probed "$objects/probed.cc" -ldl -lpthread
	echo 'long in_library(long n) { return n + 7; }' >library.c
	gcc -O1 -shared -fPIC -o library.so library.c
	# The second instruction of a function.
	set -- $(objdump -d --no-show-raw-insn probed | awk -F: '/<work>:/ { getline; a = $1; getline
		print a, $1; exit }')
	offset=$((0x${2:-0} - 0x${1:-0}))
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DEXE=\"$PWD/probed\"" "-DLIB=\"$PWD/library.so\"" "-DOFFSET=\"$offset\"" \
		-c "$objects/probes.bpf.c" -o probes.o
}

# watched ARG...: the program alone, and with all probes; both must print the same.
watched() {
	"$BATS_FILE_TMPDIR/probed" "$@" >alone
	skep run -o text "$BATS_FILE_TMPDIR/probes.o" -- "$BATS_FILE_TMPDIR/probed" "$@" >with
	diff alone with
}

seen() {
	awk -v key="$1" '/^seen/ { here = 1 } here && $1 == key { found = $2; exit }
		END { print found == "" ? 0 : found }' text
}

@test "probes: a function's entry, inside and return in every thread" {
	watched threads
	[ "$(seen 0)" = 80000 ]
	[ "$(seen 1)" = 799960000 ]
	[ "$(seen 2)" = 80000 ]
	[ "$(seen 3)" = 2399960000 ]
	[ "$(seen 11)" = 80000 ]
	[ "$(seen 12)" -ge 1 ]
}

@test "probes: children have them" {
	watched fork
	[ "$(seen 0)" = 5 ]
	[ "$(seen 2)" = 5 ]
}

@test "probes: a library that comes and goes" {
	watched library "$BATS_FILE_TMPDIR/library.so"
	[ "$(seen 4)" = 135 ]
	[ "$(seen 5)" = 345 ]
}

@test "probes: exceptions pass functions whose return is watched" {
	watched throw
	[ "$(seen 7)" = 1800 ]
	# Not those of calls that were left by an exception: 100 leaves and middles, 50 catchers.
	[ "$(seen 6)" = 1550 ]
}

@test "probes: stacks are walked through functions whose return is watched" {
	watched trace
}

@test "probes: functions that are jumped out of" {
	watched longjmp
	[ "$(seen 0)" = 500 ]
	[ "$(seen 2)" = 500 ]
	[ "$(seen 6)" = 0 ]
}

@test "probes: a tail call returns for its caller" {
	watched tail
	[ "$(seen 7)" = 200 ]
	[ "$(seen 6)" = 200 ]
}

@test "probes: handlers of signals come and jump in the middle" {
	watched signal
	[ "$(seen 7)" -ge 251 ]
}

@test "probes: static probes with arguments, and their semaphores" {
	"$BATS_FILE_TMPDIR/probed" step >alone
	skep run -o text "$BATS_FILE_TMPDIR/probes.o" -- "$BATS_FILE_TMPDIR/probed" step >with
	[ "$(cat alone)" = alone ]
	[ "$(cat with)" = watched ]
	[ "$(seen 8)" = 10 ]
	[ "$(seen 9)" = 45 ]
	[ "$(seen 10)" = 90 ]
}

@test "probes: a running process gets them and is as it was after" {
	mkfifo in
	"$BATS_FILE_TMPDIR/probed" wait <in >out 3>&- &
	victim=$!
	exec 7>in
	printf x >&7
	(until [ "$(python3 "$BATS_TEST_DIRNAME/patched.py" $victim probed)" != "0 0" ]; do
		sleep 0.05
	done 3>&-; printf xx >&7) &
	skep run -t 3 -o text --pid $victim "$BATS_FILE_TMPDIR/probes.o"
	printf x >&7
	exec 7>&-
	wait $victim
	[ "$(seen 0)" = 200 ]
	[ "$(seen 2)" = 200 ]
	for _ in 1 2 3 4; do printf x; done | "$BATS_FILE_TMPDIR/probed" wait >alone
	diff alone out
}

@test "probes: --attach names the places, in the section's stead" {
	local probed=$BATS_FILE_TMPDIR/probed
	objects anywhere
	run skep run anywhere.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *'--attach PROGRAM='* ]]
	skep run -o text --attach "enters=uprobe/$probed:work" --attach "enters=uprobe/libc.so.6:waitpid" \
		--attach "returns=$probed:work" anywhere.o -- "$probed" fork
	[ "$(seen 0)" = 10 ]
	[ "$(seen 1)" = 5 ]
	skep run -o text --attach "enters=uprobe/$probed:work" anywhere.o -- "$probed" fork
	[ "$(seen 0)" = 5 ]
	[ "$(seen 1)" = 0 ]
}

@test "probes: --attach with a wrong program, place or type says so" {
	objects anywhere
	run skep run --attach enters anywhere.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *"'enters' is not PROGRAM=PLACE"* ]]
	run skep run --attach enter=uprobe/libc.so.6:malloc anywhere.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *"no program 'enter'"*'it has: enters, returns'* ]]
	run skep run --attach enters=xdp anywhere.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *"section 'kprobe/some_function' cannot be attached as one of 'xdp'"* ]]
	run skep run --attach returns=libc.so.6:no_such_function anywhere.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *"no function 'no_such_function'"* ]]
}

# every LIB COMMAND...: the command alone, and with probes at all functions of a library.
every() {
	local library=$1
	shift
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DLIB=\"$library\"" -c "$BATS_TEST_DIRNAME/objects/every.bpf.c" -o every.o
	"$@" >alone
	skep run -o text every.o -- "$@" >with
	diff alone with
	[ "$(seen 0)" -ge 30 ]
	[ "$(seen 1)" -ge 20 ]
}

# Among them are setjmp(), vfork() and getcontext(), which return twice, functions of one
# instruction, resolvers, and all that throws and catches.
@test "probes: every function of the C library, the loader and C++'s, and their returns" {
	local libraries
	libraries=$(ldd "$BATS_FILE_TMPDIR/probed" | awk '/libc\.so/ { print $3 } /ld-linux/ { print $1 }
		/libstdc|libgcc/ { print $3 }')
	[ "$(wc -w <<<"$libraries")" -ge 2 ]
	for library in $libraries; do
		every "$library" "$BATS_FILE_TMPDIR/probed" throw
	done
	for library in $(grep -E 'libc\.|ld-linux' <<<"$libraries"); do
		every "$library" sh -c 'for i in 1 2 3; do echo $i | cat; done; ls /etc/passwd | wc -l'
		every "$library" bash -c 'for i in 1 2 3; do (echo $i) | cat; done; trap "echo bye" EXIT'
		! command -v perl >/dev/null || every "$library" perl -e 'print join(",", map { $_ * 2 } 1 .. 100)'
		every "$library" gcc -E -x c -P /dev/null
	done
}

@test "probes: a function that returns twice has no return to be watched" {
	sed 's|uretprobe.multi/" LIB ":\*"|uretprobe/" LIB ":_setjmp"|' \
		"$BATS_TEST_DIRNAME/objects/every.bpf.c" >twice.bpf.c
	library=$(ldd "$BATS_FILE_TMPDIR/probed" | awk '/libc\.so/ { print $3 }')
	clang -O2 -g -target bpf "-DLIB=\"$library\"" "-I/usr/include/$(uname -m)-linux-gnu" \
		-c twice.bpf.c -o twice.o
	run skep run twice.o:on_return -- true
	[ "$status" = 1 ]
	[[ "$output" == *'keeps its return address'* ]]
}

@test "probes: what is no call's does not return, whatever it is called" {
	objects returns
	cc -O2 "$BATS_TEST_DIRNAME/objects/parts.c" -o parts
	for all in './parts:*' ./parts:whole; do
		skep run -j -o seen --attach "on_return=$all" returns.o -- ./parts >out
		[ "$(<out)" = '42 1' ]
	done
	[ "$(grep '"program":"on_return"' seen | json runs)" = 1 ]
	run -1 skep run --attach on_return=./parts:part returns.o -- ./parts
	[[ "$output" == *'H015'*'no call leads to'* ]]
	run -1 skep run --attach on_return=./parts:_start returns.o -- ./parts
	[[ "$output" == *'H015'*'where a program begins'* ]]
}

@test "probes: returns of calls nested too deep are told as missed" {
	objects returns
	cc -O2 "$BATS_TEST_DIRNAME/objects/parts.c" -o parts
	skep run -o seen --attach on_return=./parts:deep returns.o -- ./parts 65000 >out
	[ "$(<out)" = '42 65000' ]
	! grep -q missed seen
	skep run -j -o seen --attach on_return=./parts:deep returns.o -- ./parts 70000 >out
	[ "$(<out)" = '42 70000' ]
	missed=$(grep missed_returns seen | json missed_returns)
	runs=$(grep '"program":"on_return"' seen | json runs)
	[ "$missed" -gt 0 ]
	[ $((missed + runs)) = 70000 ]
}

@test "probes: instructions that the linker relocates; code that is not the file's is told of" {
	gcc -O1 -o textrel "$BATS_TEST_DIRNAME/objects/textrel.c" -ldl
	gcc -shared -DLIBRARY -Wl,-z,notext -o textrel.so "$BATS_TEST_DIRNAME/objects/textrel.c" 2>/dev/null
	readelf -d textrel.so | grep -q TEXTREL
	sed 's|:\*"|:[pbt]*"|' "$BATS_TEST_DIRNAME/objects/every.bpf.c" >three.bpf.c
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DLIB=\"$PWD/textrel.so\"" -c three.bpf.c -o three.o
	[ "$(skep run -o text three.o -- ./textrel)" = 2100 ]
	[ "$(seen 0)" = 300 ]
	[ "$(seen 1)" = 300 ]
	run ! grep 'not probed' text
	sed 's|:\*"|:changed"|' "$BATS_TEST_DIRNAME/objects/every.bpf.c" >one.bpf.c
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DLIB=\"$PWD/textrel\"" -c one.bpf.c -o one.o
	[ "$(skep run -o text one.o -- ./textrel)" = 2100 ]
	[ "$(seen 0)" = 100 ]
	[ "$(skep run -o text one.o -- ./textrel change)" = 2600 ]
	[ "$(seen 0)" = 0 ]
	grep -q "textrel.*not probed: 1 place whose code is not the file's" text
	skep run -j -o text one.o -- ./textrel change
	grep -q '"unlike":1' text
}

# Whoever is brought in lies over that page for a moment.
@test "probes: functions in the page that a program begins in" {
	cat >near.S <<-'END'
		.text
		.balign 4096
		.globl near, _start
		.type near, @function
		near:
			push %rbp
			mov %rsp, %rbp
			mov $5, %eax
			leave
			ret
		.size near, . - near
		.type _start, @function
		_start:
			mov $100, %ebx
		1:	call near
			dec %ebx
			jnz 1b
			mov $60, %eax
			xor %edi, %edi
			syscall
		.size _start, . - _start
	END
	gcc -nostdlib -static -o near near.S
	sed 's|:\*"|:near"|' "$BATS_TEST_DIRNAME/objects/every.bpf.c" >one.bpf.c
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DLIB=\"$PWD/near\"" -c one.bpf.c -o one.o
	skep run -o text one.o -- ./near
	[ "$(seen 0)" = 100 ]
	[ "$(seen 1)" = 100 ]
}

# Goroutines return to the second byte of a function; a few functions are breakpoints.
@test "probes: every function of a Go program" {
	command -v go >/dev/null || skip "no go"
	cat >main.go <<-'END'
		package main

		import "fmt"

		func main() {
			done := make(chan int)
			for i := 0; i < 20; i++ {
				go func(i int) { done <- len(make([]byte, 100000)) + i }(i)
			}
			sum := 0
			for i := 0; i < 20; i++ {
				sum += <-done
			}
			defer func() { fmt.Println(sum, recover()) }()
			var none *int
			*none = 1
		}
	END
	HOME=$PWD CGO_ENABLED=0 GO111MODULE=off GOFLAGS= go build -o program main.go
	sed '/^SEC("uretprobe/,$d' "$BATS_TEST_DIRNAME/objects/every.bpf.c" >calls.bpf.c
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" "-DLIB=\"$PWD/program\"" \
		-c calls.bpf.c -o calls.o
	./program >alone
	skep run -o text calls.o -- ./program >with
	diff alone with
	[ "$(seen 0)" -ge 1000 ]
	run ! grep 'not probed' text
}
