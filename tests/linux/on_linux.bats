#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run --on linux: what needs the right to load programs skips where there is none.
load ../cli/helper
bats_require_minimum_version 1.5.0

may_load() {
	objects mixed
	skep run --on linux mixed.o -p entered -- true >/dev/null 2>why || skip "$(head -n 1 why)"
}

# Programs that the kernel has under this name.
loaded_named() {
	python3 - "$1" <<'EOF'
import ctypes, os, struct, sys
call = ctypes.CDLL(None, use_errno=True).syscall
def bpf(command, attr):
    return call(321, command, attr, len(attr))
count, at = 0, 0
while True:
    attr = ctypes.create_string_buffer(struct.pack('III', at, 0, 0), 12)
    if bpf(11, attr) < 0:
        break
    at = struct.unpack('III', attr.raw)[1]
    fd = bpf(13, ctypes.create_string_buffer(struct.pack('III', at, 0, 0), 12))
    if fd < 0:
        continue
    info = ctypes.create_string_buffer(256)
    bpf(15, ctypes.create_string_buffer(struct.pack('IIQ', fd, 256, ctypes.addressof(info)), 16))
    count += info.raw[64:80].split(b'\0')[0].decode() == sys.argv[1]
    os.close(fd)
print(count)
EOF
}

@test "on linux: events of rings, perf arrays and lines, of the command's tree only" {
	may_load
	objects execs
	(while :; do /bin/true; done) & # somebody else's
	other=$!
	status=0
	skep run -j --on linux execs.o --set tag=7 -- \
		sh -c '/bin/echo one >/dev/null; sh -c "exec /bin/cat /dev/null" & wait; exit 3' >out || status=$?
	kill $other
	[ "$status" = 3 ]
	[ "$(grep '"ringbuf"' out | json data.comm | tr '\n' ' ')" = 'sh echo sh cat ' ]
	[ "$(grep '"perf"' out | json data.comm | sort | tr '\n' ' ')" = 'cat echo sh sh ' ]
	[ "$(grep '"trace"' out | json text | tr '\n' ' ')" = 'exec sh exec echo exec sh exec cat ' ]
	[ "$(grep '"ringbuf"' out | json data.tag | sort -u)" = 7 ]
	[ "$(grep '"execs"' out | python3 -c 'import json,sys; print(sum(json.loads(sys.stdin.read())["values"]))')" = 4 ]
}

@test "on linux: the first program is seen, whoever else watches" {
	may_load
	grep -q sched_prepare_exec /sys/kernel/btf/vmlinux || skip "this kernel does not tell in time"
	objects execs
	cp "$BATS_TEST_DIRNAME/../../examples/execsnoop.bpf.c" .
	mkfifo go
	# Its programs come first at the tracepoint from now on.
	skep run --on linux -o others execsnoop.bpf.c -- sh -c 'echo >go; read -r line <go' 3>&- &
	read -r _ <go
	skep run --on linux -j -o mine execsnoop.bpf.c -- true
	echo >go
	wait
	[ "$(grep -c '"file":"[^"]*true"' mine)" = 1 ]
}

@test "on linux: counts in maps are the tree's, threads and children of children too" {
	may_load
	objects execs
	cat >work.py <<-'EOF'
		import os, threading
		def call(n):
		    for _ in range(n):
		        os.sched_get_priority_max(0)
		threads = [threading.Thread(target=call, args=(100,)) for _ in range(3)]
		[t.start() for t in threads]
		[t.join() for t in threads]
		if os.fork() == 0:
		    if os.fork() == 0:
		        call(10)
		        os._exit(0)
		    os.wait()
		    call(20)
		    os._exit(0)
		os.wait()
	EOF
	python3 -c 'import os; [os.sched_get_priority_max(0) for _ in range(50)]; os.read(0, 1); [os.sched_get_priority_max(0) for _ in range(50)]' < <(sleep 0.5; echo) &
	skep run -j --on linux execs.o -- python3 work.py >out
	wait
	[ "$(grep '"calls"' out | json value | sort -n | tr '\n' ' ')" = '10 20 300 ' ]
}

@test "on linux: a command that is killed, is not there, cannot be run" {
	may_load
	run skep run --on linux mixed.o -p entered -- sh -c 'kill -9 $$'
	[ "$status" = 137 ]
	run -127 skep run --on linux mixed.o -p entered -- ./nothing
	[[ "$output" == *"cannot run './nothing': No such file"* ]]
	run skep run --on linux mixed.o -p entered -- /
	[ "$status" = 126 ]
}

@test "on linux: without a command it is the whole system, for so many seconds or until stopped" {
	may_load
	objects execs
	(for _ in 1 2 3 4 5 6 7 8 9 10; do /bin/echo x >/dev/null; sleep 0.1; done) &
	skep run -j --on linux execs.o -p on_exec -t 1 >out
	wait
	[ "$(grep '"ringbuf"' out | json data.comm | grep -c echo)" -ge 3 ]
	timeout -s INT 1 "$SKEP" run --on linux mixed.o -p entered >out || [ $? = 124 ]
	grep -q '^hits' out
}

@test "on linux: sampling, at the rate asked for" {
	may_load
	cat >busy.py <<-'EOF'
		import time
		end = time.process_time() + 1
		while time.process_time() < end:
		    pass
	EOF
	skep run -j --on linux mixed.o -p sampled --sample 400 -- python3 busy.py >out
	samples=$(grep '"hits"' out | sed -n 2p | json value)
	[ "$samples" -ge 200 ]
	[ "$samples" -le 800 ]
}

@test "on linux: what is not attached is told of, and the rest runs" {
	may_load
	run skep run --on linux mixed.o -- true
	[ "$status" = 0 ]
	[[ "$output" == *"'packet' is not attached: section 'xdp' does not say to what"* ]]
	[[ "$output" =~ 0\ +[1-9] ]]
	run skep run --on linux mixed.o -p packet -- true
	[ "$status" = 1 ]
	[[ "$output" == *K004* ]]
	run skep run --on linux mixed.o -p nowhere -- true
	[ "$status" = 1 ]
	[[ "$output" == *'K004'*'tracepoint syscalls/sys_enter_nothing: No such file'* ]]
	run skep run --on linux mixed.o -p no_function -- true
	[ "$status" = 1 ]
	[[ "$output" == *K00[14]*'no_such_function'* ]]
	run skep run --on linux mixed.o -p other -- true
	[ "$status" = 1 ]
	[[ "$output" == *"no program 'other'"* ]]
}

@test "on linux: a rejection has the kernel's last words and the source line" {
	may_load
	run skep run --on linux mixed.o -p unchecked -- true
	[ "$status" = 1 ]
	[[ "$output" == *"K003"*"R0 invalid mem access 'map_value_or_null'"* ]]
	[[ "$output" == *'mixed.bpf.c:'*'*count += 1; /* no check */'* ]]
	[[ "$output" == *'Permission denied'* ]]
}

@test "on linux: a map that the kernel does not make is named" {
	may_load
	cat >large.bpf.c <<-'EOF'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 0x20000000);
			__type(key, __u32);
			__type(value, char[4096]);
		} large SEC(".maps");
		SEC("raw_tp/sys_enter") int entered(void *ctx) { __u32 key = 0; return !bpf_map_lookup_elem(&large, &key); }
		char LICENSE[] SEC("license") = "GPL";
	EOF
	run skep run --on linux large.bpf.c -- true
	[ "$status" = 1 ]
	[[ "$output" == *"K002"*"map 'large' of type array with 536870912 entries"* ]]
}

# wait_loaded NAME COUNT: until the kernel has so many; what ended is freed a little later.
wait_loaded() {
	for _ in $(seq 100); do
		[ "$(loaded_named "$1")" != "$2" ] || return 0
		sleep 0.1
	done
	echo "the kernel has $(loaded_named "$1") programs named $1, not $2"
	return 1
}

@test "on linux: nothing is left behind, however it ends" {
	may_load
	wait_loaded entered 0 # of the run that found out whether we may
	"$SKEP" run --on linux mixed.o -p entered -- sleep 20 3>&- &
	wait_loaded entered 1
	kill -9 $!
	wait_loaded entered 0
}

@test "on linux: without the right it says which is missing" {
	objects mixed
	if [ "$(id -u)" = 0 ]; then
		chmod 755 . && chmod 644 mixed.o
		run setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all --no-new-privs \
			"$SKEP" run --on linux mixed.o -p entered -- true
	else
		[ "$(awk '/^CapEff/ { print $2 }' /proc/self/status)" = 0000000000000000 ] ||
			skip 'this user has capabilities'
		run skep run --on linux mixed.o -p entered -- true
	fi
	[ "$status" = 1 ]
	[[ "$output" == *K001*'CAP_BPF and CAP_PERFMON (kernel.unprivileged_bpf_disabled is '* ]]
}

@test "on linux: a packet program gets a capture as in Skep's machine" {
	may_load
	objects filter
	python3 "$BATS_TEST_DIRNAME/../cli/make_capture.py" in.pcap
	skep run filter.o -r in.pcap -w here.pcap | sed '/ written to /d' >here
	skep run --on linux filter.o -r in.pcap -w there.pcap | sed '/ written to /d' >there
	diff here there
	cmp here.pcap there.pcap
	run skep run --on mars filter.o -r in.pcap
	[ "$status" = 2 ]
	[[ "$output" == *"--on 'mars'?"* ]]
}

@test "on linux: --output keeps events apart from the command's own output" {
	may_load
	objects execs
	skep run -j -o events --on linux execs.o -- sh -c 'echo mine; /bin/echo too' >out
	[ "$(cat out)" = $'mine\ntoo' ]
	[ "$(grep '"ringbuf"' events | json data.comm | tr '\n' ' ')" = 'sh echo ' ]
	run skep run -o /nothing/here --on linux execs.o -- true
	[ "$status" = 1 ]
	[[ "$output" == *"cannot write '/nothing/here'"* ]]
}

@test "on linux: functions of programs and libraries, by name and by pattern" {
	may_load
	objects user
	gcc -O1 -o work "$BATS_TEST_DIRNAME/objects/work.c"
	./work & # not of the tree
	skep run -j --on linux user.o -- ./work >out
	wait
	[ "$(grep '"hits"' out | json value | tr '\n' ' ')" = '20 20 10 7 ' ]
	skep run -j --on linux user.o -- sh -c './work; ./work' >out
	[ "$(grep '"hits"' out | json value | tr '\n' ' ')" = '40 40 20 14 ' ]
	run skep run --on linux user.o -p nowhere -- true
	[ "$status" = 1 ]
	[[ "$output" == *nowhere* ]]
	run skep run --on linux user.o -p bare -- true
	[ "$status" = 1 ]
	[[ "$output" == *"does not say where to attach it"*'SEC("uprobe/FILE:FUNCTION")'* ]]
}

@test "on linux: stacks of samples as folded lines and as a flame graph" {
	may_load
	objects mixed
	gcc -O0 -o busy "$BATS_TEST_DIRNAME/objects/busy.c"
	skep run --on linux --sample 500 --folded out --flame out.svg \
		"$BATS_TEST_DIRNAME/../../examples/profile.bpf.c" -- ./busy
	total=$(awk '{ n += $NF } END { print n }' out)
	inner=$(awk '/^busy;(.*;)?main;outer;inner(;[^ ]*_\[k\])* [0-9]+$/ { n += $NF } END { print n }' out)
	[ "$total" -ge 200 ]
	[ "$inner" -ge $((total * 8 / 10)) ]
	python3 -c 'import xml.dom.minidom as x; x.parse("out.svg")'
	grep -q '<title>inner (' out.svg
	run skep run --on linux --folded out mixed.o -p sampled -- true
	[ "$status" = 1 ]
	[[ "$output" == *'the object counts no stacks'* ]]
}

@test "on linux: stacks in records, of the program and of the kernel" {
	may_load
	objects stacks
	gcc -O0 -o busy "$BATS_TEST_DIRNAME/objects/busy.c"
	skep run --on linux --sample 500 --folded out -o printed stacks.o -- ./busy
	[ ! -s printed ]
	inner=$(awk '/^busy;(.*;)?main;outer;inner(;[^ ]*_\[k\])* [0-9]+$/ { n += $NF } END { print n }' out)
	[ "$inner" -ge 100 ]
	! grep -q '[0-9]\{12\}' out
	skep run --on linux --sample 500 --folded out -o printed stacks.o -- \
		dd if=/dev/zero of=/dev/null bs=1M count=5000 status=none
	grep -q '_\[k\]' out
}

@test "on linux: a command outlives the time that is watched, and its status is told" {
	may_load
	objects execs
	status=0
	skep run -j -o events -t 1 --on linux execs.o -- sh -c 'sleep 2; /bin/echo late; exit 9' >out || status=$?
	[ "$status" = 9 ]
	[ "$(cat out)" = late ]
	[ "$(grep '"ringbuf"' events | json data.comm | tr '\n' ' ')" = 'sh sleep ' ]
}

@test "on linux: a packet that the kernel does not take is counted, not fatal" {
	may_load
	objects filter
	python3 - <<-'EOF'
		import struct
		with open('odd.pcap', 'wb') as f:
		    f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65536, 1))
		    for size in (10, 60):
		        f.write(struct.pack('<IIII', 0, 0, size, size) + bytes(size))
	EOF
	run skep run --on linux filter.o -r odd.pcap
	[ "$status" = 0 ]
	[[ "$output" == *'1 too short for it'* ]]
	[ "$output" = "$("$SKEP" run filter.o -r odd.pcap)" ]
}

@test "on linux: --attach names the place, in the section's stead" {
	may_load
	BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME/../cli objects anywhere
	skep run --on linux --attach enters=uprobe/libc.so.6:getenv -j anywhere.o -- bash -c true >out 2>why ||
		{ grep -q 'not permitted\|denied' why && skip "$(head -n 1 why)"; cat why; false; }
	[ "$(grep '"map":"seen"' out | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["value"] > 0)')" = True ]
}

@test "on linux: a running process, its threads and what it starts, and nobody else" {
	may_load
	objects execs
	(while :; do /bin/true; done) 3>&- & # somebody else's
	other=$!
	sh -c 'while [ ! -e stop ]; do /bin/echo one >/dev/null; sleep 0.1; done' 3>&- &
	victim=$!
	skep run -j --on linux -p $victim -t 1 execs.o >out
	kill $other $victim
	[ "$(grep '"ringbuf"' out | json data.comm | sort -u | tr '\n' ' ')" = 'echo sleep ' ]
	sleep 0.3 &
	victim=$!
	skep run --on linux --pid $victim -t 100 execs.o # ends with it
	run skep run --on linux --pid 999999999 execs.o
	[ "$status" = 1 ]
	[[ "$output" == *'there is no process 999999999'* ]]
}
