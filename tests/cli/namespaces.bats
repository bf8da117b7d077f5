#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run -- COMMAND, where what the command starts is in namespaces of its own.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || { unable "targets are x86-64"; return; }
	unshare -Urpf --mount-proc true 2>/dev/null || unable "user namespaces are not permitted here"
}

teardown() {
	[ -z "${victim:-}" ] || kill -KILL "$victim" 2>/dev/null || true
	[ -z "${supervisor:-}" ] || kill -KILL "$supervisor" 2>/dev/null || true
	[ -z "${name:-}" ] || "$SKEP" machine remove -f "$name" >/dev/null 2>&1 || true
}

nobody='setpriv --reuid 65534 --regid 65534 --clear-groups --'

# as_nobody COMMAND...
as_nobody() {
	[ "$(id -u)" = 0 ] && $nobody "$@"
}

# opener_of NAME: the process that opened a file, as the programs had it; and the one above it.
opener_of() {
	python3 - "$1" <<-'END'
		import json, sys
		for line in open('events'):
		    row = json.loads(line)
		    data = row.get('data')
		    if data and data['kind'] == 5 and data['name'] == sys.argv[1]:
		        print(data['pid'], data['parent'])
	END
}

# exe_of PID: the program of a process of the report; and the process above it.
exe_of() {
	python3 - "$1" <<-'END'
		import json, sys
		for line in open('events'):
		    row = json.loads(line)
		    if row.get('process') == int(sys.argv[1]):
		        print(row['exe'], row['parent'], row['state'])
	END
}

# followed COMMAND...: it runs `cat mark` somewhere, which is seen, and all is followed.
followed() {
	local opener
	echo marked >mark
	skep run -j -o events spaces.o -- "$@" >said
	grep -qx marked said
	opener=$(opener_of mark)
	[ "$(wc -w <<<"$opener")" = 2 ]
	[[ "$(exe_of "${opener% *}")" == */cat*" ${opener#* } ended" ]]
	run ! grep -q '"state":"not followed"' events
}

@test "namespaces: a command in others is followed, under the ids it has here" {
	objects spaces
	for way in -Ur -Urpf '-Urpf --mount-proc' -Urm -Urn -Uri -Uru -UrC; do
		echo "unshare $way"
		followed unshare $way sh -c 'cat mark; true'
	done
}

@test "namespaces: the time of programs is that of here" {
	unshare -UrTf --monotonic 50000 true 2>/dev/null || skip "no time namespaces here"
	objects spaces
	followed unshare -UrTf --boottime 70000 --monotonic 50000 sh -c 'cat mark; (:); true'
	python3 - <<-'END'
		import json, time
		now = time.monotonic_ns()
		times = [row['data']['time'] for row in map(json.loads, open('events')) if row.get('data')]
		assert len(times) > 10 and all(now - 300 * 10**9 < at < now for at in times), times
	END
}

@test "namespaces: nested ones are followed" {
	objects spaces
	followed unshare -Urpf --mount-proc unshare -Urpf --mount-proc \
		unshare -Urpf sh -c '[ $$ = 1 ]; cat mark; true'
}

@test "namespaces: a container of bubblewrap is followed" {
	command -v bwrap >/dev/null || skip "bubblewrap is not installed"
	bwrap --unshare-all --ro-bind / / true 2>/dev/null || skip "bubblewrap is not permitted"
	objects spaces
	followed bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev sh -c 'cat mark; true'
}

@test "namespaces: a program under a root without /proc is followed" {
	objects spaces
	mkdir root
	echo marked >root/mark
	cat >three.c <<-'END'
		#include <fcntl.h>
		#include <unistd.h>
		#include <sys/wait.h>
		int main(void)
		{
			if (fork() == 0)
				return open("mark", O_RDONLY) < 0;
			wait(NULL);
			execl("/two", "two", NULL);
			return 1;
		}
	END
	echo 'int main(void) { return 3; }' >two.c
	cc -static -o root/three three.c || skip "no static libc here"
	cc -static -o root/two two.c
	for way in -Ur -Urpf; do
		run -3 skep run -j -o events spaces.o -- unshare $way -R root /three
		[[ "$(exe_of "$(opener_of mark | cut -d' ' -f1)")" == */three*ended ]]
		grep -q '/two".*"state":"ended"' events
		run ! grep -q '"state":"not followed"' events
	done
}

@test "namespaces: threads, children and signals have the ids that the kernel gives them" {
	objects spaces
	skep run --on linux spaces.o -- true >/dev/null 2>why || skip "$(head -n 1 why)"
	[ -x /usr/bin/python3 ] || skip "no /usr/bin/python3"
	cp "$BATS_TEST_DIRNAME/targets/family.py" .
	cc -o lodger "$BATS_TEST_DIRNAME/targets/lodger.c"
	ways=('unshare -Ur' 'unshare -Urpf' 'unshare -Urpf --mount-proc' './lodger own')
	[ "$(id -u)" != 0 ] || ways+=('./lodger as-is ./lodger as-is')
	if as_nobody true; then
		ways+=("$nobody" "$nobody unshare -Ur" "$nobody unshare -Urpf --mount-proc unshare -Ur")
	fi
	for way in "${ways[@]}"; do
		echo "$way"
		for machine in '' '--on linux'; do
			skep run $machine -j -o events spaces.o -- $way \
				/usr/bin/python3 -S -E - <family.py >/dev/null
			python3 "$BATS_TEST_DIRNAME/targets/family_tree.py" events >"tree$machine"
		done
		diff tree "tree--on linux"
		[ "$(grep -c 'getpid' tree)" -ge 3 ]
	done
}

# start_victim: a shell in a container that opens `mark` again and again, until there is `stop`; its
# number here is in $victim.
start_victim() {
	echo marked >mark
	unshare -Urpf --mount-proc sh -c \
		'while [ ! -e stop ]; do : <mark; cat mark >>alive; sleep 0.05; done' 3>&- &
	container=$!
	victim=
	until [ -n "$victim" ]; do
		victim=$(pgrep -P $container) || sleep 0.01
	done
	# It has become the shell, and not only been forked.
	until [ "$(cat /proc/$victim/comm)" = sh ]; do
		sleep 0.01
	done
}

end_victim() {
	touch stop
	wait $container
	victim=
}

# opened_by EXPRESSION: whether what opened `mark` is so, for a pid and the one above it.
opened_by() {
	opener_of mark | awk "$1 { found = 1 } END { exit !found }"
}

@test "namespaces: a process that runs in one is followed, and let go" {
	objects spaces
	start_victim
	for _ in 1 2; do
		skep run -t 1 -j -o events --pid $victim spaces.o
		opened_by "\$1 == $victim"      # itself,
		opened_by "\$2 == $victim"      # and what it starts
		[[ "$(exe_of $victim)" == *" $container let go" ]]
		run ! grep -q '"state":"not followed"' events
		run ! grep -q skep-agent /proc/$victim/maps
	done
	end_victim
}

@test "namespaces: what a killed supervisor followed goes on, and is taken over" {
	objects spaces
	start_victim
	name=spaces-$$
	skep machine create "$name"
	"$SKEP" run -o killed --machine "$name" --pid $victim spaces.o 3>&- &
	supervisor=$!
	for _ in $(seq 400); do
		grep -qs '"mark"' killed && break
		sleep 0.05
	done
	kill -KILL $supervisor
	wait $supervisor || true
	grep -q skep-agent /proc/$victim/maps
	# What it starts runs by itself meanwhile: nobody waits for an answer that does not come.
	: >alive
	until [ "$(grep -cx marked alive)" -ge 3 ]; do
		sleep 0.05
	done
	skep run -t 1 -j -o events --machine "$name" --pid $victim spaces.o
	opened_by "\$1 == $victim"
	opened_by "\$2 == $victim"
	run ! grep -q skep-agent /proc/$victim/maps
	end_victim
	skep machine remove "$name"
}

@test "namespaces: one's sudden end takes its targets, and leaves nothing held" {
	objects spaces
	cat >storm.sh <<-'END'
		for i in 1 2 3 4 5 6 7 8; do
			unshare -Urpf --mount-proc sh -c '(while :; do /bin/true; done) &
				(while :; do (:); done) & while :; do : <mark; done' 2>/dev/null &
			container=$!
			first=
			until [ -n "$first" ]; do first=$(pgrep -P $container); done
			sleep 0.2
			kill -KILL $first
			wait $container
		done
		cat mark
	END
	echo marked >mark
	name=storm-$$
	skep machine create "$name"
	# Once more in the same machine: its memory is as good as new.
	for _ in 1 2; do
		timeout 100 "$SKEP" run -j -o events --machine "$name" spaces.o -- sh storm.sh >said
		[ "$(cat said)" = marked ]
		! grep '"state":"\(runs\|let go\|not followed\)"' events || false
		grep -q '"missed_busy":0' events
		opened_by 1
	done
	[ "$(skep machine show -j "$name" | json processes)" = '[]' ]
	[ "$(skep machine show -j "$name" | json cpus_busy)" = 0 ]
	skep machine remove "$name"
}

counts() {
	awk '/^processes/ { exit } /^seen/ { on = 1 } on && $1 != 12' "$1"
}

@test "namespaces: probes and samples are those of the program anywhere" {
	command -v g++ >/dev/null || skip "no g++"
	here=$BATS_TEST_DIRNAME/objects
	g++ -O1 -o probed "$here/probed.cc" -ldl -lpthread
	echo 'long in_library(long n) { return n + 7; }' >library.c
	gcc -O1 -shared -fPIC -o library.so library.c
	clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
		"-DEXE=\"$PWD/probed\"" "-DLIB=\"$PWD/library.so\"" '-DOFFSET="0"' \
		-c "$here/probes.bpf.c" -o probes.o
	for what in threads fork throw "library $PWD/library.so"; do
		skep run -o here probes.o -- ./probed $what >alone
		skep run -o there probes.o -- unshare -Urpf --mount-proc ./probed $what >with
		diff alone with
		# How often getenv() is called depends on where a program is.
		diff <(counts here) <(counts there)
	done
	cp "$BATS_TEST_DIRNAME/../../examples/profile.bpf.c" .
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c profile.bpf.c -o profile.o
	gcc -O2 -fomit-frame-pointer -o shares "$BATS_TEST_DIRNAME/targets/shares.c" -pthread -ldl
	skep run -o out --folded folded profile.o -- unshare -Urpf --mount-proc ./shares 1.2
	[ "$(grep -c '^shares;_start;.*;main;until_done;work;often ' folded)" -ge 1 ]
}

@test "namespaces: what gives its rights up is followed" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	objects spaces
	chmod 755 .
	as_nobody test -r . || skip "this directory is not for other users"
	followed setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'cat mark; true'
	if command -v su >/dev/null; then
		followed su nobody -s /bin/sh -c 'cat mark; true'
	fi
}

@test "namespaces: what gains rights is left alone, with them" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	objects spaces
	cat >gains.c <<-'END'
		#include <stdio.h>
		#include <unistd.h>
		int main(void)
		{
			printf("%d\n", geteuid());
			fflush(stdout);
			execl("/bin/cat", "cat", "mark", NULL);
			return 1;
		}
	END
	echo marked >mark
	cc -o gains gains.c
	chmod 755 .
	chmod 4755 gains
	as_nobody test -r mark || skip "this directory is not for other users"
	as_nobody ./gains >said 2>/dev/null || true
	[ "$(head -n 1 said)" = 0 ] || skip "no program gains rights here"
	install -d -o nobody out
	as_nobody "$SKEP" run -j -o out/events spaces.o -- sh -c './gains; true' >said
	[ "$(cat said)" = "$(printf '0\nmarked')" ]
	grep -q '"state":"not followed","reason":"its program gains privilege"' out/events
}

@test "namespaces: a filter of system calls is asked before anything is sent" {
	objects spaces
	cc -o filtered "$BATS_TEST_DIRNAME/targets/filtered.c"
	# reboot() is nobody's need.
	followed unshare -Ur ./filtered 169 sh -c 'cat mark; true'
	for call in 53 47; do # socketpair, recvmsg
		skep run -j -o events spaces.o -- unshare -Ur ./filtered $call sh -c 'cat mark; true' >said
		[ "$(cat said)" = marked ]
		grep -q '"state":"not followed","reason":"its filter of system calls' events
	done
	# The same where it is the supervisor's too.
	./filtered 169 "$SKEP" run -j -o events spaces.o -- unshare -Ur sh -c 'cat mark; true' >said
	[[ "$(exe_of "$(opener_of mark | cut -d' ' -f1)")" == */cat*ended ]]
	./filtered 53 "$SKEP" run -j -o events spaces.o -- unshare -Ur sh -c 'cat mark; true' >said
	[ "$(cat said)" = marked ]
	grep -q '"state":"not followed","reason":"its filter of system calls' events
}

@test "namespaces: a supervisor whose /proc is of another is refused" {
	objects spaces
	run -126 unshare -Urpf "$SKEP" run spaces.o -- true
	[[ "$output" == *'H035'*'--mount-proc'* ]]
	unshare -Urpf --mount-proc "$SKEP" run -j -o events spaces.o -- sh -c 'cat /dev/null; true'
	grep -q '"exe":"[^"]*/cat".*"state":"ended"' events
}
