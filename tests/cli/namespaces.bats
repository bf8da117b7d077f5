#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep run -- COMMAND, where what the command starts is in namespaces of its own.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
	[ "$(uname -m)" = x86_64 ] || skip "targets are x86-64"
	unshare -Urpf --mount-proc true 2>/dev/null || skip "user namespaces are not permitted here"
}

teardown() {
	[ -z "${victim:-}" ] || kill -KILL "$victim" 2>/dev/null || true
	[ -z "${supervisor:-}" ] || kill -KILL "$supervisor" 2>/dev/null || true
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

@test "namespaces: threads, children and signals have the ids that the kernel gives them" {
	objects spaces
	skep run --on linux spaces.o -- true >/dev/null 2>why || skip "$(head -n 1 why)"
	[ -x /usr/bin/python3 ] || skip "no /usr/bin/python3"
	for way in -Ur -Urpf '-Urpf --mount-proc'; do
		for machine in '' '--on linux'; do
			skep run $machine -j -o events spaces.o -- unshare $way \
				/usr/bin/python3 -S -E "$BATS_TEST_DIRNAME/targets/family.py" >/dev/null
			python3 "$BATS_TEST_DIRNAME/targets/family_tree.py" events >"tree$machine"
		done
		diff tree "tree--on linux"
		[ "$(grep -c 'getpid' tree)" -ge 3 ]
	done
}
