#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run OBJECT -- COMMAND: programs in a command's own processes.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
}

# watch COMMAND...: opensnoop in it, events as JSON in the file events.
watch() {
	skep run -j -o events opensnoop.o -- "$@"
}

snoop() {
	cp "$BATS_TEST_DIRNAME/../../examples/opensnoop.bpf.c" .
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		-c opensnoop.bpf.c -o opensnoop.o
}

opened() {
	grep '"event":"ringbuf"' events | json data.name
}

@test "command: programs see what it does; it keeps its output and its input" {
	snoop
	echo hello >file
	watch cat file >out 2>err
	[ "$(cat out)" = hello ]
	[ ! -s err ]
	[ "$(opened | grep -cx file)" = 1 ]
	[ "$(grep '"name":"file"' events | json data.comm)" = cat ]
	[ "$(echo from stdin | skep run -o events opensnoop.o -- tr a-z A-Z)" = 'FROM STDIN' ]
}

@test "command: what it starts is seen too, as a tree" {
	snoop
	echo one >first
	echo two >second
	watch sh -c 'cat first; (cat second | tr a-z A-Z)' >out
	[ "$(cat out)" = "$(printf 'one\nTWO')" ]
	[ "$(opened | grep -cxE 'first|second')" = 2 ]
	[ "$(grep -c '"process":' events)" -ge 3 ]
	! grep -q '"state":"not followed"' events
	skep run -o text opensnoop.o -- sh -c 'cat first; cat second' >out
	grep -q '^processes$' text
	grep -Eq '^  [0-9]+ sh ' text
	grep -Eq '^    [0-9]+ cat ' text
}

@test "command: its exit status and the signal that ends it are skep's" {
	snoop
	run watch sh -c 'exit 7'
	[ "$status" = 7 ]
	run watch sh -c 'kill -TERM $$'
	[ "$status" = 143 ]
	run -127 watch ./not-there
	[[ "$output" == *"not-there"* ]]
	touch plain
	run watch ./plain
	[ "$status" = 126 ]
}

@test "command: one that replaces itself often is followed to its end" {
	snoop
	cat >again.sh <<-'EOF'
		[ "$1" = 0 ] && exit 9
		exec sh again.sh $(($1 - 1))
	EOF
	for _ in 1 2 3; do
		status=0
		timeout -k 5 60 "$SKEP" run -j -o events opensnoop.o -- sh again.sh 40 || status=$?
		[ "$status" = 9 ]
		[ "$(opened | grep -cx again.sh)" = 41 ]
	done
}

@test "command: interrupts are for it, other signals are passed on" {
	snoop
	for signal in TERM USR1; do
		"$SKEP" run -o events opensnoop.o -- sh -c 'trap "echo told; exit 3" $1
			echo ready; for _ in $(seq 200); do sleep 0.05; done' sh $signal >out 3>&- &
		for _ in $(seq 100); do grep -q ready out && break; sleep 0.1; done
		kill -$signal $!
		status=0
		wait $! || status=$?
		[ "$status" = 3 ]
		[ "$(cat out)" = "$(printf 'ready\ntold')" ]
	done
	# What the terminal sends is not ignored in it, whatever Skep does with it.
	run watch sh -c 'kill -INT $$; echo still here'
	[ "$status" = 130 ]
	[[ "$output" != *'still here'* ]]
}

@test "command: what is closed when it starts is closed for it, and no file of Skep's" {
	snoop
	which='for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && printf $fd; done >open; exit 3'
	skep run -o events opensnoop.o -- sh -c "exec 9>open; $which" <&- >&- || status=$?
	[ "$status" = 3 ]
	[ "$(<open)" = 12 ]
	skep run -j opensnoop.o -- true >&- 2>&- || status=$?
	[ "$status" = 1 ] # what was to be printed went nowhere
	skep run -o events opensnoop.o -- sh -c 'exit 4' <&- >&- 2>&- || status=$?
	[ "$status" = 4 ]
	grep -q open_event events
	run -1 sh -c 'exec "$0" feature >&-' "$SKEP"
	[[ "$output" == *'cannot write the output: Bad file descriptor'* ]]
}

@test "command: a program begins by execve, whatever loaded it" {
	objects begins
	skep run -o seen begins.o -- sh -c 'exec /usr/bin/python3 -c "$1"' sh '
import os
os.execve(os.open("/bin/true", os.O_RDONLY), ["true"], {})'
	grep -q 'asked by 59, 59 begun by 59' seen
	grep -q 'asked by 322, 59 begun by 59' seen
	! grep -q '322 begun' seen
}

@test "command: 32-bit system calls of 64-bit code are what they are" {
	cp "$BATS_TEST_DIRNAME/../../examples/syscount.bpf.c" .
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c syscount.bpf.c -o syscount.o
	cat >calls32.c <<'END'
#include <stdio.h>
#include <unistd.h>
static int call32(int number, long a, long b, long c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}
int main(void)
{
	static char text[] = "written\n";
	int parent = getppid();

	/* 20 is getpid, 64 getppid, 4 write; and writev, semget, stat. */
	for (int i = 0; i < 1000; i++)
		if (call32(20, 0, 0, 0) != getpid() || call32(64, 0, 0, 0) != parent)
			return 1;
	call32(4, 1, (long)text, 8);
	return 0;
}
END
	cc -O2 -no-pie calls32.c -o calls32
	[ "$(./calls32)" = written ] || skip "this kernel has no 32-bit system calls"
	run skep run -o seen syscount.o -- ./calls32
	[ "$status" = 0 ]
	[ "$output" = written ]
}

@test "command: calls that strict mode ends it for are not seen, as the kernel begins none" {
	cp "$BATS_TEST_DIRNAME/../../examples/syscount.bpf.c" .
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c syscount.bpf.c -o syscount.o
	cat >strict.c <<'END'
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	(void)argv;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0 && write(1, "in\n", 3) == 3 && argc > 1)
		getppid();
	syscall(SYS_exit, 5);
}
END
	cc -O2 strict.c -o strict
	run ./strict
	[ "$status" = 5 ] || skip "this kernel has no strict mode"
	run -5 skep run -o seen syscount.o -- ./strict
	[ "$output" = in ]
	grep -q '"strict", .number = 60 ' seen
	run -137 skep run -o seen syscount.o -- ./strict more
	[ "$output" = in ]
	grep -q '"strict", .number = 1 ' seen
	! grep -q 'number = 110 ' seen
}

@test "command: a limit on its address space is what it made it, without the machine's memory" {
	snoop
	cat >limited.sh <<'END'
# Shells take memory as they go; dash has no more than its limit for it.
limit=$1
ulimit -S -v "$limit" && ulimit -v
ulimit -v "$limit"
ulimit -v
ulimit -S -v
for i in 1 2 3 4 5 6 7 8 9 10; do text="$text$(printf '%05000d' $i)"; done
echo ${#text}
(ulimit -v 300000; ulimit -v; cat opensnoop.bpf.c | wc -l)
python3 -c '
import resource
print(resource.getrlimit(resource.RLIMIT_AS))
try:
    print(len(bytes(700 << 20)))
except MemoryError:
    print("no memory")
print(len(bytes(100 << 20)))
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (soft // 2, hard))
print(resource.getrlimit(resource.RLIMIT_AS), resource.prlimit(0, resource.RLIMIT_AS))
'
END
	sh limited.sh 600000 >alone
	skep run -o seen opensnoop.o -- sh limited.sh 600000 >with
	diff alone with
	grep -q 'no memory' with
	! grep -q 'not followed' seen
}

@test "command: events go to standard error, never between the command's lines" {
	snoop
	skep run opensnoop.o -- cat opensnoop.bpf.c >out 2>err
	cmp out opensnoop.bpf.c
	grep -q 'opensnoop.bpf.c' err
}

@test "command: programs that cannot run in targets are named, with the reason" {
	objects mixed
	run skep run mixed.o -- true
	[ "$status" = 0 ]
	[[ "$output" == *'not attached: on_packets (xdp)'* ]]
	[[ "$output" == *'not attached: in_the_kernel (kprobe/tcp_connect)'* ]]
	run skep run -p in_the_kernel mixed.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *'__x64_sys_NAME'* ]]
	objects filter
	run skep run filter.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *'C005'* ]]
	[[ "$output" == *'note: targets have system calls (tracepoint/syscalls/...'*'--on linux'* ]]
	objects kernel_function
	run skep run kernel_function.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *'J002'*'kernel function bpf_cpumask_create'* ]]
}

@test "command: a process that runs already is watched, and let go" {
	snoop
	sh -c 'while [ ! -e stop ]; do cat opensnoop.bpf.c >/dev/null; sleep 0.1; done' &
	victim=$!
	skep run -t 2 -j -o events --pid $victim opensnoop.o
	[ "$(opened | grep -cx opensnoop.bpf.c)" -ge 1 ]
	kill -0 $victim
	skep run -p $victim -t 1 -j -o again -p enter_openat -p exit_openat opensnoop.o
	[ "$(grep '"event":"ringbuf"' again | json data.name | grep -cx opensnoop.bpf.c)" -ge 1 ]
	! grep '"program":"enter_open"' again
	touch stop
	wait $victim
	run skep run --pid 999999999 opensnoop.o
	[ "$status" = 1 ]
	run skep run --pid nobody opensnoop.o
	[ "$status" = 1 ]
}

@test "command: what programs print comes while it runs" {
	objects mixed
	skep run -o text mixed.o -- sh -c 'mkdir there; for _ in $(seq 100); do
		grep -q "made a directory" text && exit 5; sleep 0.05; done' || status=$?
	[ "$status" = 5 ]
}

@test "command: a machine with a name keeps maps, and shows who runs now" {
	name=command-$$
	snoop
	"$SKEP" machine create "$name"
	skep run --machine "$name" -o first opensnoop.o -- cat opensnoop.bpf.c >out
	skep run --machine "$name" -o second opensnoop.o -- wc -l opensnoop.bpf.c >out
	"$SKEP" map list --machine "$name" >maps
	"$SKEP" machine remove "$name"
	grep -q '"opensnoop.bpf.c"' first
	grep -Eq '^  [0-9]+ wc ' second
	! grep -Eq '^ +[0-9]+ cat ' second
	[ "$(grep -c 'name events' maps)" = 2 ]
}

@test "command: what is kept of files changes nothing but the time; damage is no harm" {
	snoop
	export XDG_CACHE_HOME=$PWD/cache
	mkdir cache
	echo hello >file
	for round in scanned kept damaged; do
		[ "$(watch cat file)" = hello ]
		opened >$round
		for kept in cache/skep/scan-*; do
			[ -s "$kept" ]
			[ $round = kept ] && printf x | dd of="$kept" bs=1 seek=90 conv=notrunc status=none
		done
	done
	grep -qx file scanned
	cmp scanned kept
	cmp scanned damaged
}

@test "command: a cgroup array may be empty; the zeros of bytes without a type are counted" {
	objects cgroup
	run skep run cgroup.o -- mkdir one
	[ "$status" = 0 ]
	[[ "$output" == *'40 bytes: 61 20 64 69 72 65 63 74 6f 72 79 00*21 07 00 00 00 00 00 00 00  |a directory...|'* ]]
	run skep run --set only_ours=1 cgroup.o -- mkdir two
	[ "$status" = 0 ]
	[ -d two ]
	[[ "$output" != *'bytes:'* ]]
}

@test "command: records that found no room in a ring are told as lost" {
	objects full
	run skep run full.o -- mkdir one
	[ "$status" = 0 ]
	[ "$(grep -c '^small ' <<<"$output")" = 2 ]
	[[ "$output" == *'lost: 1 events, as the buffer was full'* ]]
	skep run -j -o events full.o -- mkdir two
	[ "$(grep '"lost"' events | json lost)" = 1 ]
}

@test "command: what goes on in the background when the command ends is let go, and named" {
	snoop
	for round in 1 2 3 4 5 6 7 8; do
		skep run -j -o seen opensnoop.o -- sh -c "
			for i in 1 2 3; do sh -c 'sleep 0.3; mkdir went_on_$round'\$i & done"
		grep '"process"' seen | json state >states
		[ "$(grep -cx 'let go' states)" -ge 3 ] # and their own children, if they have any yet
		[ "$(grep -cvx -e 'let go' -e ended states)" = 0 ]
	done
	for i in $(seq 100); do
		[ "$(ls -d went_on_* | wc -l)" = 24 ] && return
		sleep 0.1
	done
	false
}
