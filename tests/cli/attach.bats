#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run --pid PID: programs in processes that run already.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
}

teardown() {
	[ -z "${victim:-}" ] || kill -KILL "$victim" 2>/dev/null || true
	[ -z "${supervisor:-}" ] || kill -KILL "$supervisor" 2>/dev/null || true
	[ -z "${name:-}" ] || "$SKEP" machine remove -f "$name" >/dev/null 2>&1 || true
}

snoop() {
	cp "$BATS_TEST_DIRNAME/../../examples/opensnoop.bpf.c" .
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		-c opensnoop.bpf.c -o opensnoop.o
}

opened() {
	grep '"event":"ringbuf"' events | json data.name
}

# A process to attach to; its number is in $victim.
start_victim() {
	sh -c 'while [ ! -e stop ]; do cat opensnoop.bpf.c >/dev/null; sleep 0.05; done' 3>&- &
	victim=$!
}

# supervise_and_die ARG...: a run that is killed when its victim has the agent.
supervise_and_die() {
	rm -f killed
	"$SKEP" run -o killed "$@" --pid $victim opensnoop.o 3>&- &
	local supervisor=$!
	for _ in $(seq 200); do
		grep -qs 'data.*opensnoop.bpf.c\|"opensnoop.bpf.c"' killed && break
		sleep 0.05
	done
	kill -KILL $supervisor
	wait $supervisor || true
	grep -q skep-agent /proc/$victim/maps
}

# The heap of a shell may grow.
map_names() {
	awk '{ print $2, $6 }' /proc/$victim/maps
}

@test "attach: what a killed supervisor left in a process is taken out, and it is watched anew" {
	snoop
	start_victim
	sleep 0.3
	map_names >before
	for _ in 1 2; do
		supervise_and_die
		skep run -t 2 -j -o events --pid $victim opensnoop.o
		[ "$(opened | grep -cx opensnoop.bpf.c)" -ge 1 ]
		map_names >after
		cmp before after
	done
	touch stop
	wait $victim
}

@test "attach: a machine with a name is taken over from a killed supervisor" {
	snoop
	start_victim
	sleep 0.3
	map_names >before
	name=taken-$$
	skep machine create "$name"
	supervise_and_die --machine "$name"
	skep run -t 2 -j --machine "$name" -o events --pid $victim opensnoop.o || status=$?
	[ "${status:-0}" = 0 ]
	# Once each: what the dead had attached is not run any more.
	[ "$(opened | grep -cx opensnoop.bpf.c)" -ge 1 ]
	[ "$(skep map list --machine "$name" | grep -c 'name events')" = 2 ]
	map_names >after
	cmp before after
	touch stop
	wait $victim
	skep machine remove "$name"
}

@test "attach: a process that another machine follows is left to it" {
	snoop
	start_victim
	"$SKEP" run -o first --pid $victim opensnoop.o 3>&- &
	supervisor=$!
	for _ in $(seq 200); do
		grep -qs '"opensnoop.bpf.c"' first && break
		sleep 0.05
	done
	run skep run -t 1 --pid $victim opensnoop.o
	[ "$status" = 1 ]
	[[ "$output" == *'H034'*'another machine follows it'* ]]
	kill -TERM $supervisor
	wait $supervisor
	! grep -q skep-agent /proc/$victim/maps
	touch stop
	wait $victim
}

# worker [NAME]: the program work, of NAME.c, with an object that probes its function.
worker() {
	gcc -O1 -g -o work "$BATS_TEST_DIRNAME/objects/${1:-work}.c"
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DEXE=\"$PWD/work\"" -c "$BATS_TEST_DIRNAME/objects/work.bpf.c" -o work.o
}

# follow_work ARG...: work runs, followed by another run for the machine $name.
follow_work() {
	name=work-$BATS_TEST_NUMBER-$$
	skep machine create "$name"
	"$SKEP" run --machine "$name" -o first opensnoop.o -- ./work "$@" >said 3>&- &
	supervisor=$!
	for _ in $(seq 400); do
		victim=$(pgrep -P $supervisor -x work) && grep -q skep-agent /proc/$victim/maps && break
		sleep 0.05
	done
}

# value_of FILE KEY: of the map calls, as a run ends.
value_of() {
	awk -v key="$2" '/^calls/ { here = 1 } here && $1 == key { found = $2; exit }
		END { print found == "" ? 0 : found }' "$1"
}

# The first byte of work() in the victim, of the program work.
first_byte() {
	python3 - $victim "$(nm work | awk '$3 == "work" { print $1 }')" <<-'END'
		import sys
		pid, address = sys.argv[1], int(sys.argv[2], 16)
		code = [line.split() for line in open(f"/proc/{pid}/maps") if line.endswith("/work\n")]
		base = int(code[0][0].split("-")[0], 16) if address < 0x400000 else 0
		with open(f"/proc/{pid}/mem", "rb") as memory:
		    memory.seek(base + address)
		    print(memory.read(1).hex())
	END
}

# Waits until the victim is in a system call of that number.
wait_for_call() {
	until [ "$(cut -d ' ' -f 1 /proc/$victim/syscall)" = "$1" ]; do
		sleep 0.05
	done
}

# Waits until work() is patched; prints how.
wait_for_patch() {
	local byte
	for _ in $(seq 400); do
		byte=$(first_byte)
		case $byte in e9 | cc) break ;; esac
		sleep 0.05
	done
	echo "$byte"
}

@test "attach: a target that computes gets a probe at once, and samples" {
	snoop
	worker
	follow_work spin
	# Nothing ends the target but us, and it makes no call.
	skep run --machine "$name" -t 2 -o second work.o
	cat second
	[ "$(value_of second 0)" -ge 1 ]
	[ "$(value_of second 1)" -ge 1 ]
	! grep -q 'does not have yet' second
	kill -0 $victim
	kill -TERM $victim
	wait $supervisor || true
	skep machine remove "$name"
}

@test "attach: a target that sleeps has the probe when it wakes up" {
	snoop
	worker
	mkfifo fifo
	follow_work fifo
	exec 9<>fifo
	wait_for_call 0
	"$SKEP" run --machine "$name" -o second work.o 3>&- 9>&- &
	second=$!
	wait_for_patch
	echo >&9
	wait $supervisor
	wait $second
	grep -qx 'done' said
	[ "$(value_of second 0)" = 5 ]
	exec 9>&-
	skep machine remove "$name"
}

@test "attach: threads, ended processes and the kernel's own are no targets, and called what they are" {
	snoop
	python3 -c '
import os, threading, time
def thread():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    with open("ids.new", "w") as ids:
        print(threading.get_native_id(), child, file=ids)
    os.rename("ids.new", "ids")
    while not os.path.exists("stop"):
        time.sleep(0.05)
threading.Thread(target=thread).start()' 3>&- &
	victim=$!
	for _ in $(seq 200); do [ -e ids ] && break; sleep 0.05; done
	read -r thread ended <ids
	run -1 skep run -t 1 --pid "$thread" opensnoop.o
	[[ "$output" == *"H033"*"$thread is a thread of process $victim"* ]]
	run -1 skep run -t 1 --pid "$ended" opensnoop.o
	[[ "$output" == *"H033"*"process $ended (python3) has ended"* ]]
	touch stop
	wait $victim
	# 2 is the kernel's where no namespace hides it.
	if [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; then
		run -1 skep run -t 1 --pid 2 opensnoop.o
		[[ "$output" == *"H034"*"process 2 (kthreadd) is the kernel's own"* ]]
	fi
}

@test "attach: a machine without targets has nothing to run in" {
	snoop
	name=empty-$$
	skep machine create "$name"
	run skep run --machine "$name" opensnoop.o
	[ "$status" = 1 ]
	[[ "$output" == *'H033'* ]]
	skep machine remove "$name"
}

# attach_held ARG...: to work, which waits for a byte; how it is patched is in $patched.
attach_held() {
	mkfifo fifo
	./work fifo "$@" >said 3>&- &
	victim=$!
	exec 9<>fifo
	wait_for_call 0
	"$SKEP" run --pid $victim -o second work.o 3>&- 9>&- &
	supervisor=$!
	patched=$(wait_for_patch)
	echo >&9
	wait $supervisor
	exec 9>&-
	grep -qx 'done' said
}

@test "attach: code of several instructions becomes a jump where no thread is between them" {
	worker held
	attach_held whole
	[ "$patched" = e9 ]
	[ "$(value_of second 0)" = 4 ]
}

@test "attach: where a signal's handler returns between them, it does not" {
	worker held
	attach_held
	[ "$patched" = cc ]
	# The first call had begun before.
	[ "$(value_of second 0)" = 3 ]
}

@test "attach: a stack whose mapping cannot be read to its end is left as it is" {
	worker stack
	attach_held
	[ "$patched" = cc ]
	[ "$(value_of second 0)" = 4 ]
}

# probed_by_name: whether the probe finds work() of a process that runs; the reason in refused.
probed_by_name() {
	local pid status=0
	./work spin >said 2>&1 3>&- &
	pid=$!
	skep run --pid $pid -t 1 -o second -p on_work work.o 2>refused || status=$?
	kill -KILL $pid; wait $pid || true
	[ "$status" = 0 ] && [ "$(value_of second 0)" -ge 1 ]
}

@test "attach: functions are found by the symbols of a debug file beside the program" {
	worker
	objcopy --only-keep-debug work work.debug
	strip work
	run ! probed_by_name
	grep -q H010 refused
	objcopy --add-gnu-debuglink=work.debug work
	probed_by_name
	# A link to a file of another build does not count.
	echo x >>work.debug
	run ! probed_by_name
	grep -q H010 refused
}

@test "attach: functions are found by the symbols of a debug file of the build id" {
	unshare -rm true 2>/dev/null || skip "no mount namespaces here"
	[ -d /usr/lib/debug ] || skip "no folder for debug files"
	worker
	gcc -O1 -g -Wl,--build-id -o work "$BATS_TEST_DIRNAME/objects/work.c"
	id=$(readelf -n work | sed -n 's/.*Build ID: //p')
	mkdir -p "debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug work "debug/.build-id/${id:0:2}/${id:2}.debug"
	strip work
	export -f probed_by_name value_of skep
	export SKEP
	# The folder of debug files is seen by these processes alone.
	unshare -rm bash -c 'mount --bind debug /usr/lib/debug && probed_by_name'
	run ! probed_by_name
	grep -q H010 refused
}

# Its handler waits when the run is over, and returns long after.
@test "attach: a handler that is under way when its process is let go returns" {
	snoop
	worker held
	mkfifo fifo
	exec 9<>fifo
	skep run -t 1 -o events opensnoop.o -- ./work fifo >said 3>&- 9>&-
	victim=$(pgrep -nx work)
	! grep -q skep-agent /proc/$victim/maps
	echo >&9
	for _ in $(seq 200); do
		grep -qx done said && break
		sleep 0.05
	done
	grep -qx done said
	exec 9>&-
}

@test "attach: a process in a pid namespace of its own is named as it is seen here" {
	unshare -Urpf true 2>/dev/null || skip "no user namespaces here"
	snoop
	skep run -j -o events opensnoop.o -- unshare -Urpf sh -c 'id -u; exit 4' >said || status=$?
	[ "$status" = 4 ]
	[ "$(cat said)" = 0 ]
	# Process 1 of this namespace is nobody's target.
	! grep '"process":1,' events
}

# Waits until the victim's loader has so many jumps in its code.
loader_jumps() {
	loader=$(basename "$(readlink -f /lib64/ld-linux-x86-64.so.2)")
	for _ in $(seq 100); do
		set -- "$1" $(python3 "$BATS_TEST_DIRNAME/patched.py" $victim "$loader" || true)
		[ "${2:-0}" -ge "$1" ] && return
		sleep 0.05
	done
	echo "${2:-0} jumps in $loader"
	return 1
}

# Opens of libraries go through it.
@test "attach: the loader's own system calls are patched, in a command and in a running process" {
	[ -e /lib64/ld-linux-x86-64.so.2 ] || skip "not glibc"
	snoop
	# Its system calls, but for those that are left as they are for debuggers.
	calls=$(objdump -d /lib64/ld-linux-x86-64.so.2 | grep -c '	syscall')
	worker
	mkfifo fifo
	exec 9<>fifo
	"$SKEP" run -o events opensnoop.o -- ./work fifo 3>&- 9>&- &
	supervisor=$!
	until victim=$(pgrep -P $supervisor -x work); do
		sleep 0.05
	done
	loader_jumps $((calls - 2))
	echo >&9
	wait $supervisor
	./work fifo 3>&- 9>&- &
	victim=$!
	"$SKEP" run -o events --pid $victim opensnoop.o 3>&- 9>&- &
	supervisor=$!
	loader_jumps $((calls - 2))
	echo >&9
	wait $victim
	wait $supervisor
	exec 9>&-
}

# late ARG...: the program runs for the machine $name, and its threads call g(), h() and k().
late() {
	gcc -O1 -o late "$BATS_TEST_DIRNAME/objects/late.c" -lpthread
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DEXE=\"$PWD/late\"" -c "$BATS_TEST_DIRNAME/objects/late.bpf.c" -o late.o
	name=late-$BATS_TEST_NUMBER-$$
	skep machine create "$name"
	"$SKEP" run --machine "$name" -o first opensnoop.o -- ./late "$@" >said 3>&- &
	supervisor=$!
	until [ -s said ]; do
		sleep 0.05
	done
	victim=$(head -n 1 said)
}

# Jumps over several instructions, while threads run through them.
@test "attach: what is attached late is jumps, and no call is missed" {
	snoop
	for how in '' alternate stay; do
		late 20000 $how
		"$SKEP" run --machine "$name" -o second late.o 3>&- &
		second=$!
		for _ in $(seq 400); do
			patched=$(python3 "$BATS_TEST_DIRNAME/patched.py" $victim late)
			[ "$patched" = "3 0" ] && break
			sleep 0.05
		done
		[ "$patched" = "3 0" ]
		touch go
		wait $supervisor
		kill -INT $second 2>/dev/null || true
		wait $second || true
		cat said second
		calls=$(tail -n 1 said)
		[ "$(value_of second 0)" = "$calls" ]
		[ "$(value_of second 1)" = "$calls" ]
		[ "$(value_of second 2)" = "$calls" ]
		[ "$(value_of second 3)" = $((calls * 2)) ]
		skep machine remove "$name"
		rm go said
	done
}

@test "attach: probes come and go while threads run through them, and do not show" {
	snoop
	late 1000
	for _ in $(seq 12); do
		timeout -s INT 0.3 "$SKEP" run --machine "$name" -o second late.o || true
	done
	touch go
	wait $supervisor
	[ "$(tail -n 1 said)" -ge 4000 ]
	skep machine remove "$name"
}

# wait_for_jumps COUNT: until the victim's program big has so many.
wait_for_jumps() {
	for _ in $(seq 400); do
		set -- "$1" $(python3 "$BATS_TEST_DIRNAME/patched.py" $victim big || true)
		[ "${2:-0}" -ge "$1" ] && return
		sleep 0.05
	done
	echo "${2:-0} jumps in big"
	return 1
}

# A first run does not wait for the scan; it gets its patches while it goes on.
@test "attach: a large program is scanned in the background, and known to the next run" {
	snoop
	gcc -static -O1 -o big "$BATS_TEST_DIRNAME/objects/work.c"
	truncate -s 20M big
	export XDG_CACHE_HOME=$PWD/cache
	mkfifo fifo
	exec 9<>fifo
	for run in first second; do
		"$SKEP" run -j -o $run opensnoop.o -- ./big fifo 3>&- 9>&- >said &
		supervisor=$!
		until victim=$(pgrep -P $supervisor -x big); do
			sleep 0.05
		done
		[ $run = first ] || [ "$kept" = "$(ls cache/skep)" ]
		wait_for_jumps 20
		kept=$(ls cache/skep)
		echo >&9
		wait $supervisor
		[ "$(cat said)" = done ]
	done
	[ "$(grep '"event":"ringbuf"' second | json data.name | grep -cx fifo)" = 1 ]
	exec 9>&-
}

@test "run: thousands of processes that live at once are followed, also past their next program" {
	snoop
	cat >many.py <<-'END'
		import os
		read, write = os.pipe()
		pids = []
		for i in range(2100):
		    pid = os.fork()
		    if pid == 0:
		        os.close(write)
		        os.read(read, 1)
		        if i % 4 == 0:
		            os.execv("./true", ["true"])
		        os._exit(i % 3)
		    pids.append(pid)
		os.close(write)
		ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
		assert ends == [i % 4 and i % 3 for i in range(2100)]
		for i in range(40):
		    pid = os.fork()
		    if pid == 0:
		        os._exit(0)
		    os.waitpid(pid, 0)
	END
	echo 'int main(void) { return 0; }' | gcc -static -O1 -x c -o true -
	skep run -j -o out opensnoop.o -- "$(python3 -c 'import sys; print(sys.executable)')" many.py
	[ "$(grep -c '"process":' out)" = 2141 ]
	[ "$(grep '"process":' out | grep -c '"comm":"true"')" = 525 ]
	! grep -q '"state":"not followed"' out
}

@test "attach: a process whose limits leave no room for the agent is left alone, and they are named" {
	command -v prlimit >/dev/null || skip "no prlimit"
	snoop
	for limit in as=30000000:v nofile=3:n; do
		sleep 1000 3>&- &
		victim=$!
		until [ "$(cat /proc/$victim/comm)" = sleep ]; do sleep 0.05; done
		prlimit --pid $victim --${limit%:*}
		run skep run -t 1 --pid $victim opensnoop.o
		[ "$status" = 1 ]
		[[ "$output" == *"(ulimit -${limit#*:})"* ]]
		kill -0 $victim
		kill $victim
	done
}

# As containers do: the command runs, with the agent where that can be, else told of.
@test "run: what a filter refuses to skep itself is done without, or named" {
	snoop
	gcc -O1 -o refused "$BATS_TEST_DIRNAME/targets/refused.c"
	skep=$(command -v "$SKEP")
	for error in 1 38; do
		# process_vm_readv, rt_tgsigqueueinfo, kcmp, membarrier
		for call in 310 297 312 324; do
			./refused $error $call "$skep" run -j -o out opensnoop.o -- cat /etc/hostname >said
			cmp said /etc/hostname
			grep '"process":' out | grep -q '"comm":"cat".*"state":"ended"'
		done
		./refused $error 101 "$skep" run -o out opensnoop.o -- cat /etc/hostname >said # ptrace
		cmp said /etc/hostname
		grep -q 'not followed: the kernel does not permit it' out
		run ./refused $error 319 "$skep" run opensnoop.o -- cat /etc/hostname
		[ "$status" = 1 ]
		[[ "$output" == *"memfd_create() is refused"* ]]
	done
}

@test "attach: a process whose filter of system calls would end it is left alone, and told" {
	snoop
	gcc -O1 -o caged "$BATS_TEST_DIRNAME/targets/caged.c"
	kinds="strict kill"
	# setfsuid(): nobody needs it, but programs look at credentials. The kernel shows filters to root only.
	[ "$(id -u)" != 0 ] || kinds="$kinds 122"
	for kind in $kinds; do
		./caged $kind >dots 3>&- &
		victim=$!
		until [ -s dots ]; do sleep 0.05; done
		run skep run -t 1 --pid $victim opensnoop.o
		[ "$status" = 1 ]
		[[ "$output" == *"its filter of system calls refuses what the agent needs"* ]]
		before=$(stat -c %s dots)
		until [ "$(stat -c %s dots)" -gt "$before" ]; do
			kill -0 $victim
			sleep 0.05
		done
		kill -9 $victim
	done
	[ "$(id -u)" = 0 ] || return 0 # the kernel shows filters to root only
	for kind in allow 2; do # open(), for which there is openat()
		./caged $kind >dots 3>&- &
		victim=$!
		until [ -s dots ]; do sleep 0.05; done
		skep run -t 2 -j -o events --pid $victim opensnoop.o
		grep -q '"name":"/proc/self/stat"' events
		kill -9 $victim
	done
}
