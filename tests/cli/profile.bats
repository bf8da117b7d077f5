#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Samples of CPU time of a command's processes: where it goes, in how many frames.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
}

profiler() {
	cp "$BATS_TEST_DIRNAME/../../examples/profile.bpf.c" .
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c profile.bpf.c -o profile.o
}

# Without frame pointers, as distributions build.
program() {
	gcc -O2 -fomit-frame-pointer "$@" -o shares "$BATS_TEST_DIRNAME/targets/shares.c" -pthread -ldl
}

# samples PATTERN [FILE]: how many there are with such a line.
samples() {
	awk -v pattern="$1" '$0 ~ pattern { n += $NF } END { print n + 0 }' "${2:-folded}"
}

# About 3 of 4 in the one, of enough. 4 deviations of 150 samples are 14 in a hundred.
shares_are_right() {
	local often rare
	often=$(samples "$1;work;often [0-9]+\$")
	rare=$(samples "$1;work;rare [0-9]+\$")
	echo "$often of $((often + rare)) in often()"
	[ $((often + rare)) -ge "$2" ]
	[ $((100 * often)) -ge $((61 * (often + rare))) ]
	[ $((100 * often)) -le $((89 * (often + rare))) ]
}

@test "profile: shares and stacks are the program's, without frame pointers" {
	profiler
	program
	skep run -o out --folded folded --flame flame.svg profile.o -- ./shares 1.6
	shares_are_right '^shares;.*;main;until_done' 100
	# Told in time or not: 99 in a second, of all the time it took.
	missed=$(sed -n 's/^missed: \([0-9]*\) samples.*/\1/p' out)
	all=$((missed + $(samples '^shares;')))
	[ "$all" -ge 150 ]
	[ "$all" -le 175 ]
	grep -q '<svg' flame.svg
	grep -q '<title>often (' flame.svg
	# Nothing else has come between: every stack begins where programs do.
	[ "$(samples '^shares;_start;')" -ge $((97 * $(samples '^shares;') / 100)) ]
}

@test "profile: threads, and a program without any library" {
	profiler
	program -static
	skep run -o out --folded folded profile.o -- ./shares 0.8 2
	shares_are_right ';until_done' 100
	grep -Eq '^shares;clone3?;start_thread;until_done;work;often ' folded
}

@test "profile: a library that is loaded late is walked through" {
	profiler
	program
	gcc -O2 -fomit-frame-pointer -shared -fPIC -o there.so "$BATS_TEST_DIRNAME/targets/there.c"
	export SHARES_LIBRARY=./there.so
	skep run -o out --folded folded profile.o -- ./shares 1.2
	shares_are_right ';main;until_done;work_there' 80
}

@test "profile: children and what replaces them have their own names" {
	profiler
	program
	skep run -o out --folded folded profile.o -- sh -c '(./shares 0.4 & ./shares 0.4; wait); exit 5' || status=$?
	[ "$status" = 5 ]
	[ "$(samples '^shares;.*;main;until_done;work;')" -ge 40 ]
	[ "$(samples '^sh;.*;work;')" = 0 ]
}

@test "profile: a process that runs already, and goes on" {
	profiler
	program
	./shares 4 2 &
	pid=$!
	skep run -t 2 -o out --folded folded --pid "$pid" profile.o
	# How many there are is a matter of who else wants the processors.
	[ "$(samples '^shares;.*;until_done;work;often [0-9]+$')" -ge 5 ]
	wait "$pid"
}

@test "profile: the command's output, time and calls are its own" {
	profiler
	cat >it.py <<-'EOF'
		import select, signal, subprocess, threading, time
		count = []
		signal.signal(signal.SIGALRM, lambda number, frame: count.append(number))
		signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
		def busy():
		    for i in range(20):
		        sum(range(100000))
		        select.select([], [], [], 0.001)
		        subprocess.run(['sh', '-c', 'exit 0'], check=True)
		threads = [threading.Thread(target=busy) for i in range(4)]
		[t.start() for t in threads]
		[t.join() for t in threads]
		while len(count) < 4:
		    time.sleep(0.01)
		signal.setitimer(signal.ITIMER_REAL, 0)
		print(set(count))
		signal.signal(signal.SIGRTMAX, lambda number, frame: print('got', number))
		signal.raise_signal(signal.SIGRTMAX)
	EOF
	skep run -o out --sample 1000 --folded folded profile.o -- python3 it.py >got 2>err
	[ "$(cat got)" = "$(python3 it.py)" ]
	[ ! -s err ]
	[ "$(samples '^python')" -ge 10 ]
}

@test "profile: samples that came too late are counted" {
	profiler
	program
	skep run -j -o out --sample 10000 --folded folded profile.o -- ./shares 0.3
	missed=$(grep missed_samples out | json missed_samples)
	# 3000 in all; the kernel looks at the clock at most 1000 times a second.
	[ "$missed" -ge 2000 ]
	all=$((missed + $(samples '^shares;')))
	[ "$all" -ge 2700 ]
	[ "$all" -le 3600 ]
	run skep run --sample 10001 profile.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *'10001 samples a second are too many: at most 10000'* ]]
}

@test "profile: where there is no timer for a thread, that is told" {
	profiler
	program
	skep run -o out --folded folded profile.o -- bash -c 'ulimit -i 0; exec ./shares 0.1'
	grep -Eq '^ +[0-9]+ shares .* 1 threads not sampled$' out
	[ "$(samples '^shares;')" = 0 ]
}

@test "profile: stacks in records" {
	cp "$BATS_TEST_DIRNAME/../linux/objects/stacks.bpf.c" .
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c stacks.bpf.c -o stacks.o
	program
	skep run -o out --folded folded stacks.o -- ./shares 1.2
	shares_are_right '^shares;.*;main;until_done' 80
	! grep -q ringbuf out
	run skep run --folded folded "$BATS_TEST_DIRNAME/../../examples/opensnoop.bpf.c" -- true
	[ "$status" = 1 ]
	[[ "$output" == *'the object counts no stacks'* ]]
}

@test "profile: return probes are not seen in stacks" {
	profiler
	program
	cat >both.bpf.c <<-EOF
		#include "$PWD/profile.bpf.c"
		int returns, longest;
		SEC("uretprobe/$PWD/shares:often") int returned(void *ctx)
		{
			__u64 ips[30];
			int size = bpf_get_stack(ctx, ips, sizeof(ips), BPF_F_USER_STACK);

			__sync_fetch_and_add(&returns, 1);
			if (size > longest)
				longest = size;
			return 0;
		}
		SEC("uretprobe/$PWD/shares:work") int worked(void *ctx)
		{
			return 0;
		}
	EOF
	skep run -j -o out --folded folded both.bpf.c -- ./shares 1.6
	shares_are_right '^shares;_start;.*;main;until_done' 100
}

@test "profile: the stack of a call, of whoever made it" {
	cat >opens.bpf.c <<-'EOF'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		struct open_event { __u32 pid; char comm[16]; __u64 user_stack[24]; };
		struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 20); } events SEC(".maps");
		const struct open_event *unused __attribute__((unused));
		SEC("tracepoint/syscalls/sys_enter_openat") int opened(void *ctx)
		{
			struct open_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
			if (!event)
				return 0;
			__builtin_memset(event, 0, sizeof(*event));
			event->pid = bpf_get_current_pid_tgid() >> 32;
			bpf_get_current_comm(event->comm, sizeof(event->comm));
			bpf_get_stack(ctx, event->user_stack, sizeof(event->user_stack), BPF_F_USER_STACK);
			bpf_ringbuf_submit(event, 0);
			return 0;
		}
		char LICENSE[] SEC("license") = "GPL";
	EOF
	cat >opener.c <<-'EOF'
		#include <fcntl.h>
		#include <string.h>
		__attribute__((noinline)) void inner(void)
		{
			char frame[100];
			memset(frame, 1, sizeof(frame));
			__asm__ volatile("" : : "r"(frame) : "memory");
			open("/etc/passwd", O_RDONLY);
			__asm__ volatile("" : : "r"(frame) : "memory");
		}
		int main(void)
		{
			inner();
			inner();
			return 0;
		}
	EOF
	gcc -O2 -fomit-frame-pointer -o opener opener.c
	skep run -o out --folded folded opens.bpf.c -- ./opener
	[ "$(samples '^opener;_start;.*;main;inner;[^;]*open[^;]* 2$')" = 2 ]
}
