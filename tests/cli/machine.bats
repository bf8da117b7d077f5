#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

setup() {
	SKEP=${SKEP:-$BATS_TEST_DIRNAME/../../build/skep}
	export NO_COLOR=1
	# Arenas want memory; a disk will do, slowly.
	XDG_RUNTIME_DIR=$(mktemp -d /dev/shm/skep-bats-XXXXXX || mktemp -d)
	export XDG_RUNTIME_DIR
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	[ -z "${pid:-}" ] || kill -KILL "$pid" 2>/dev/null || true
	rm -rf "$XDG_RUNTIME_DIR"
}

filled() {
	objects filter
	capture in.pcap
	skep machine create web
	skep run --machine web filter.o -r in.pcap >/dev/null
}

@test "machine: created, listed, shown, removed" {
	skep machine create web
	skep machine create other --memory 64M --cpus 3
	run skep machine list
	[ "$status" = 0 ]
	[[ "${lines[1]}" =~ ^other\ +0\ +0\ +0 ]]
	[[ "${lines[2]}" =~ ^web\ +0\ +0\ +0 ]]
	run skep machine show other
	[[ "$output" == *'of 64.0 MiB'* ]]
	[[ "$output" == *'3 virtual, 0 busy'* ]]
	[ "$(skep machine show -j other | json cpus)" = 3 ]
	[ "$(skep machine list -j | json machine | tr '\n' ' ')" = 'other web ' ]
	skep machine remove web other
	run skep machine list
	[ "$status" = 0 ]
	[ -z "$output" ]
	[ -z "$(ls "$XDG_RUNTIME_DIR/skep")" ]
}

@test "machine: maps stay after a run, with their types" {
	filled
	run skep map dump name ports --machine web
	[ "$status" = 0 ]
	[[ "$output" =~ 80\ +6 ]]
	[ "$(skep map dump -j -m web name ports | json value)" = 6 ]
	skep run --machine web filter.o -r in.pcap >/dev/null
	run skep map dump name ports --machine web
	[ "$status" = 1 ]
	[[ "$output" == *"2 maps are called 'ports': choose by id, of "* ]]
	[ "$(skep map list -j -m web | json name | grep -c '^ports$')" = 2 ]
	[ "$(skep prog list -j -m web | json run_cnt | tr '\n' ' ')" = '10 10 ' ]
	run skep prog show name filter -m web
	[ "$status" = 1 ]
	[[ "$output" == *'2 programs have name filter: choose by id'* ]]
	run skep prog show id 1 -m web
	[[ "${lines[0]}" == '1: xdp  name filter  tag '*'  run_cnt 10' ]]
}

@test "machine: maps are read from another process while programs run" {
	objects filter
	capture in.pcap
	skep machine create web
	"$SKEP" run --machine web filter.o -r in.pcap --repeat 100000000 >out.txt 2>&1 3>&- &
	pid=$!
	for _ in $(seq 100); do
		skep map dump -j -m web name ports | grep -q '"value"' && break
		sleep 0.1
	done
	first=$(skep map lookup -j -m web name ports key 80 0 | json value)
	sleep 0.2
	second=$(skep map lookup -j -m web name ports key 80 0 | json value)
	[ "$first" -gt 0 ]
	[ "$second" -gt "$first" ]
	run skep machine show -j web
	[ "$(json processes.0.pid <<<"$output")" = "$pid" ]
	[ "$(json processes.0.name <<<"$output")" = skep ]
	run skep machine remove web
	[ "$status" = 1 ]
	[[ "$output" == *"in use by process $pid"* ]]
	# Written here, seen there: with the counter gone the program counts from the start.
	skep map update -m web name ports key 80 0 value hex 00 00 00 00 00 00 00 40
	third=$(skep map lookup -j -m web name ports key 80 0 | json value)
	[ "$third" -ge 4611686018427387904 ]
	kill -STOP "$pid"
	until [ "$(cut -d ' ' -f 3 "/proc/$pid/stat")" = T ]; do sleep 0.01; done
	run skep machine show web
	[[ "$output" == *"$pid"*'skep, stopped'* ]]
	kill -KILL "$pid"
	wait "$pid" || true
	[ "$(skep machine show -j web | json processes)" = '[]' ]
	[ "$(skep machine show -j web | json cpus_busy)" -le 1 ]
	skep machine remove web
}

@test "map: lookup, update and delete follow bpftool's grammar" {
	filled
	run skep map lookup name ports key 0x50 0x00 -m web
	[ "$status" = 0 ]
	[[ "${lines[1]}" =~ ^\ +80\ +6$ ]]
	run skep map lookup name ports key 81 0 -m web
	[ "$status" = 1 ]
	[[ "$output" == *ENOENT* ]]
	skep map update id "$(skep map show -j name ports -m web | json id)" key 81 0 value 7 0 0 0 0 0 0 0 -m web
	[ "$(skep map lookup -j -m web name ports key hex 51 00 | json value)" = 7 ]
	run skep map update name ports key 81 0 value 8 0 0 0 0 0 0 0 noexist -m web
	[ "$status" = 1 ]
	[[ "$output" == *EEXIST* ]]
	run skep map update name ports key 82 0 value 8 0 0 0 0 0 0 0 exist -m web
	[ "$status" = 1 ]
	[[ "$output" == *ENOENT* ]]
	skep map delete name ports key 81 0 -m web
	run skep map delete name ports key 81 0 -m web
	[ "$status" = 1 ]
	[[ "$output" == *ENOENT* ]]
}

@test "map: wrong command lines say what is wrong" {
	filled
	run skep map dump name ports
	[ "$status" = 2 ]
	[[ "$output" == *'--machine NAME'* ]]
	run skep map dump ports -m web
	[ "$status" = 2 ]
	[[ "$output" == *"id N or name NAME, not 'ports'"* ]]
	run skep map dump name port -m web
	[ "$status" = 1 ]
	[[ "$output" == *"did you mean 'ports'?"* ]]
	run skep map dump id 99 -m web
	[ "$status" = 1 ]
	[[ "$output" == *'C010'* ]]
	run skep map lookup name ports key 80 -m web
	[ "$status" = 2 ]
	[[ "$output" == *'a key of this map has 2 bytes, not 1'* ]]
	run skep map lookup name ports key 80 300 -m web
	[ "$status" = 2 ]
	[[ "$output" == *"not '300'"* ]]
	run skep map update name ports key 80 0 value 1 2 -m web
	[ "$status" = 2 ]
	[[ "$output" == *'a value of this map has 8 bytes, not 2'* ]]
	run skep map dump name drops -m web
	[ "$status" = 1 ]
	[[ "$output" == *'has no elements by key'* ]]
	run skep prog list id 7 -m web
	[ "$status" = 1 ]
	[[ "$output" == *'C011'* ]]
}

@test "machine: bad names, missing and existing ones, and places of others" {
	run skep machine create ../x
	[ "$status" = 1 ]
	[[ "$output" == *P010*"'../x'"* ]]
	run skep machine show web
	[ "$status" = 1 ]
	[[ "$output" == *P011*'skep machine create NAME'* ]]
	run skep run --machine web nothing.o -r in.pcap
	[ "$status" = 1 ]
	skep machine create web
	run skep machine create web
	[ "$status" = 1 ]
	[[ "$output" == *P012* ]]
	run skep machine create small --memory 5x
	[ "$status" = 2 ]
	chmod 755 "$XDG_RUNTIME_DIR/skep"
	run skep machine list
	[ "$status" = 1 ]
	[[ "$output" == *P015*'open to others'*'chmod 700'* ]]
	chmod 700 "$XDG_RUNTIME_DIR/skep"
	mv "$XDG_RUNTIME_DIR/skep" "$XDG_RUNTIME_DIR/real"
	ln -s real "$XDG_RUNTIME_DIR/skep"
	run skep machine list
	[ "$status" = 1 ]
	[[ "$output" == *P015*'symbolic link'* ]]
}

@test "machine: one of another version or damaged is refused with the way out" {
	filled
	arena=$XDG_RUNTIME_DIR/skep/web/arena
	# The layout follows the magic number.
	printf '\xff' | dd of="$arena" bs=1 seek=8 conv=notrunc status=none
	run skep map list -m web
	[ "$status" = 1 ]
	[[ "$output" == *P013*'another version'*'skep machine remove NAME'* ]]
	run skep machine list
	[ "$status" = 0 ]
	[[ "$output" == *'web'*'another version'* ]]
	printf '\xff' | dd of="$arena" bs=1 seek=0 conv=notrunc status=none
	run skep machine show web
	[ "$status" = 1 ]
	[[ "$output" == *P014*'skep machine remove NAME'* ]]
	: >"$arena"
	run skep machine show web
	[ "$status" = 1 ]
	rm "$arena"
	mkfifo -m 600 "$arena"
	run timeout 10 "$SKEP" machine show web
	[ "$status" = 1 ]
	skep machine remove web
	[ -z "$(skep machine list)" ]
}

machine_used() {
	skep machine show tables -j | sed 's/.*"memory_used":\([0-9]*\),.*/\1/'
}

# tables_of FIRST LAST: processes of as many programs, one after the other, each with its stack.
tables_of() {
	skep run --machine tables --no-maps -o out stack.o -- sh -c '
		for i in $(seq "$1" "$2"); do touch -d "@$i" ./program; ./program --version; done
	' sh "$1" "$2" >/dev/null
}

@test "machine: how to walk in programs that have ended takes no more and more room" {
	[ "$(uname -m)" = x86_64 ] || skip "targets are x86-64"
	cat >stack.bpf.c <<-'EOF'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u64[32]);
		} last SEC(".maps");
		SEC("tracepoint/syscalls/sys_enter_exit_group") int ending(void *ctx)
		{
			__u32 zero = 0;
			void *stack = bpf_map_lookup_elem(&last, &zero);
			if (stack)
				bpf_get_stack(ctx, stack, 32 * sizeof(__u64), BPF_F_USER_STACK);
			return 0;
		}
		char LICENSE[] SEC("license") = "GPL";
	EOF
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c stack.bpf.c -o stack.o
	skep machine create tables
	cp "$SKEP" program # it has much to walk in
	tables_of 1 1
	none=$(machine_used)
	tables_of 1001 1026
	some=$(machine_used)
	tables_of 2001 2026
	more=$(machine_used)
	skep machine remove tables
	echo "$none, $some, $more"
	[ $((some - none)) -gt 4000000 ]
	[ $((more - some)) -lt 1000000 ]
}
