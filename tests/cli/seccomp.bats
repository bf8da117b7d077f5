#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
bats_require_minimum_version 1.5.0
load helper

policy() {
	cat >policy <<-'END'
	arch x86_64 x86 # and no other
	default errno EPERM
	allow read write exit_group
	errno ENOSYS clone3
	allow clone if arg0 & 0x7e020000 == 0
	log personality if arg0 in 3..7 and arg1>=0x100000002
	kill-process 59@x86_64
	END
}

profile() {
	cat >profile.json <<-'END'
	{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
	  "archMap": [ { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [ "SCMP_ARCH_X86", "SCMP_ARCH_X32" ] },
	               { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": [ "SCMP_ARCH_ARM" ] } ],
	  "syscalls": [
	    { "names": [ "read", "write", "s390_of_a_later_kernel" ], "action": "SCMP_ACT_ALLOW" },
	    { "names": [ "personality" ], "action": "SCMP_ACT_ALLOW", "args": [ { "index": 0, "value": 8, "op": "SCMP_CMP_EQ" } ] },
	    { "names": [ "clone" ], "action": "SCMP_ACT_ALLOW", "excludes": { "caps": [ "CAP_SYS_ADMIN" ] },
	      "args": [ { "index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" } ] },
	    { "names": [ "clone", "mount" ], "action": "SCMP_ACT_ALLOW", "includes": { "caps": [ "CAP_SYS_ADMIN" ] } },
	    { "names": [ "clone3" ], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": { "caps": [ "CAP_SYS_ADMIN" ] } },
	    { "names": [ "modify_ldt" ], "action": "SCMP_ACT_ALLOW", "includes": { "arches": [ "amd64" ] } },
	    { "names": [ "ptrace" ], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "4.8" } }
	  ] }
	END
}

# Skips where a process may not trace its child, or have a filter: in some containers, or by Yama.
may_trace() {
	run python3 -c '
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
    if libc.ptrace(0, 0, None, None) != 0: os._exit(1)
    os._exit(0 if libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(21, 0, 0, 0, 0) == 0 else 2)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
'
	[ "$status" != 1 ] || skip "this process may not trace (ptrace is refused)"
	[ "$status" = 0 ] || skip "this process may not have a seccomp filter, or has one already"
}

# decides WHAT [OPTION...] FILE CALL [ARG...]
decides() {
	local want=$1
	shift
	run skep seccomp emulate "$@"
	[ "$status" = 0 ]
	[ "$output" = "$want" ] || { echo "$*: $output, not $want"; return 1; }
}

@test "seccomp: a policy in text decides by number, architecture and arguments" {
	policy
	decides allow policy read
	decides allow --arch x86 policy read
	decides "errno EPERM" policy bpf
	decides "errno ENOSYS" policy clone3
	decides allow policy clone 0x1200011
	decides "errno EPERM" policy clone 0x10000000
	decides log policy personality 3 0x100000002
	decides "errno EPERM" policy personality 8 0x100000002
	decides "errno EPERM" policy personality 7 0x100000001
	decides kill-process policy execve
	decides "errno EPERM" --arch x86 policy 59
	decides kill-process --arch x32 policy read
	decides kill-process --arch aarch64 policy read
	run skep seccomp emulate -j policy clone3
	[ "$output" = '{"v":1,"action":"errno ENOSYS","value":327718}' ]
}

@test "seccomp: a group names many calls, and what stands behind ~ is left out of a line" {
	cat >p <<-'END'
	default errno EPERM
	errno ENOSYS @clock clone3
	allow @system-service ~@resources ~mremap
	log @resources ~ioprio_set if arg0 == 0
	END
	decides allow p openat
	decides allow p timerfd_create
	decides "errno ENOSYS" p clock_settime
	decides "errno EPERM" p mremap
	decides log p setpriority
	decides "errno EPERM" p setpriority 1
	decides "errno EPERM" p ioprio_set
	decides "errno EPERM" p mount
	printf 'default allow\nerrno EPERM @known ~@default\n' >p
	decides allow p brk
	decides "errno EPERM" p socket
	decides allow p 999
	run skep seccomp groups @swap swap
	[ "$output" = "$(printf 'swapoff\nswapon\nswapoff\nswapon')" ]
	run skep seccomp groups
	[[ "$output" == *"@basic-io "*"@known "* ]]
	[ "$(skep seccomp groups -j @privileged | json members.0)" = @chown ]
	[ "$(skep seccomp groups @known | wc -l)" -gt 450 ]
	run skep seccomp groups @basicio
	[ "$status" = 2 ]
	[[ "$output" == *"did you mean '@basic-io'?"* ]]
}

@test "seccomp: a rule that can never decide is told, with the line that comes before it" {
	cat >p <<-'END'
	arch x86_64 x86 aarch64
	default errno EPERM
	errno ENOSYS @clock
	allow @system-service
	errno EACCES socket if arg0 == 10
	allow read
	log mount if arg0 == 1
	log mount if arg0 == 2
	trap mount if arg0 == 1 and arg1 == 3
	kill-process @aio
	END
	warned() {
		echo "$output"
		[ "$status" = 0 ]
		[ "$(grep -c '^skep: warning: ' <<<"$output")" = 3 ]
		grep -q "^skep: warning: p:5: 'errno EACCES' for socket never decides: p:4 says 'allow' before;" <<<"$output"
		grep -q "^skep: warning: p:9: 'trap' for mount never decides: p:7 says 'log' before;" <<<"$output"
		grep -q "^skep: warning: p:10: 'kill-process' for io_[a-z]* and the rest of its groups never decides: p:4" <<<"$output"
	}
	run skep seccomp compile p
	warned
	run skep seccomp explain p
	warned
	printf 'default errno EPERM\nerrno EACCES socket if arg0 == 10\nerrno ENOSYS @clock\nallow @system-service read\n' >p
	run --separate-stderr skep seccomp compile p
	[ "$stderr" = "" ]
}

@test "seccomp: groups have the members that the service manager's have" {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	systemd-analyze syscall-filter >theirs || skip "this systemd-analyze lists no groups"
	skep seccomp groups -j >ours
	skep seccomp groups -j @known >known
	run python3 - "$(systemd-analyze --version | head -n 1)" <<-'END'
	import json, sys
	theirs, group = {}, None
	for line in open("theirs"):
	    if line.startswith("#"):
	        break
	    if line.startswith("@"):
	        group = line.strip()
	        theirs[group] = []
	    elif line.strip() and not line.strip().startswith("#"):
	        theirs[group].append(line.strip())
	ours = {row["group"]: row["members"] for row in map(json.loads, open("ours"))}
	known = set(json.load(open("known"))["members"])
	def flat(groups, name):
	    return {name} & known if name[0] != "@" else set().union(*(flat(groups, m) for m in groups[name]))
	newest = int(sys.argv[1].split()[1]) >= 262
	for name in sorted(set(theirs) - {"@known"}):
	    # what became another group's member since
	    lost = flat(theirs, name) - flat(ours, name) - {"open_tree"}
	    more = flat(ours, name) - flat(theirs, name) if newest else set()
	    if lost or more:
	        print(name, "without", lost, "with", more)
	print("compared", len(theirs))
	END
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" =~ ^compared\ [23][0-9]$ ]]
}

@test "seccomp: what x86 makes through socketcall and ipc is treated as the call itself" {
	cat >p <<-'END'
	arch x86 x86_64
	default errno EPERM
	allow socket recv semop
	log msgsnd
	errno EACCES listen if arg1 == 5
	kill-process bind@x86_64
	END
	decides allow --arch x86 p socket
	decides allow --arch x86 p socketcall 1
	decides allow --arch x86 p socketcall 10
	decides "errno EPERM" --arch x86 p socketcall 2
	decides "errno EPERM" --arch x86 p socketcall 4 5
	decides "errno EACCES" --arch x86 p listen 4 5
	decides allow --arch x86 p ipc 1
	decides "errno EPERM" --arch x86 p ipc 0x10001
	decides "errno EPERM" --arch x86 p ipc 2
	decides log --arch x86 p ipc 0x1000b
	cat >p.json <<-'END'
	{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": [ "SCMP_ARCH_X86" ], "syscalls": [
	  { "names": [ "connect" ], "action": "SCMP_ACT_TRAP" },
	  { "names": [ "socket" ], "action": "SCMP_ACT_ALLOW", "args": [ { "index": 0, "value": 16, "op": "SCMP_CMP_NE" } ] },
	  { "names": [ "ipc" ], "action": "SCMP_ACT_LOG" }, { "names": [ "shmget" ], "action": "SCMP_ACT_TRAP" } ] }
	END
	decides trap --arch x86 p.json socketcall 3
	decides "errno EPERM" --arch x86 p.json socketcall 1
	decides allow --arch x86 p.json socket 1
	decides log --arch x86 p.json ipc 23
}

@test "seccomp: a JSON profile depends on capabilities, architecture and kernel" {
	profile
	decides allow profile.json read
	decides allow --arch x32 profile.json read
	decides "errno EPERM" profile.json mount
	decides allow --cap SYS_ADMIN profile.json mount
	decides allow profile.json personality 8
	decides "errno EPERM" profile.json personality 9
	decides "errno EPERM" profile.json clone 0x10000000
	decides allow --cap CAP_SYS_ADMIN profile.json clone 0x10000000
	decides "errno ENOSYS" profile.json clone3
	decides "errno EPERM" --cap cap_sys_admin profile.json clone3
	decides allow profile.json modify_ldt
	decides allow profile.json ptrace
	decides "errno EPERM" --kernel 4.7 profile.json ptrace
	decides kill-process --arch aarch64 profile.json read
	skep seccomp compile --arch aarch64 profile.json -o arm
	decides allow --arch aarch64 arm read
	decides kill-process arm read
}

@test "seccomp: a JSON profile's oddities are as container runtimes have them" {
	cat >odd.json <<-'END'
	{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS", "listenerPath": "",
	  "archMap": [ { "architecture": "SCMP_ARCH_S390X", "subArchitectures": [ "SCMP_ARCH_S390" ] },
	               { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [ "SCMP_ARCH_X86" ] } ],
	  "syscalls": [
	    { "names": [ "read", "sync_file_range2", "s390_pci_mmio_read" ], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "",
	      "includes": {}, "excludes": {} },
	    { "name": "write", "action": "SCMP_ACT_ALLOW", "args": [] },
	    { "names": [ "mount" ], "action": "SCMP_ACT_ALLOW", "excludes": { "arches": [ "amd64" ] } },
	    { "names": [ "chroot" ], "action": "SCMP_ACT_ALLOW", "includes": { "arches": [ "s390x", "arm64" ] } },
	    { "names": [ "bpf" ], "action": "SCMP_ACT_ALLOW", "includes": { "caps": [ "CAP_SYS_ADMIN", "CAP_BPF" ] } },
	    { "names": [ "keyctl" ], "action": "SCMP_ACT_ALLOW", "excludes": { "minKernel": "4.8" } },
	    { "names": [ "personality" ], "action": "SCMP_ACT_ALLOW", "args": [
	      { "index": 0, "value": 0, "valueTwo": 0, "op": "SCMP_CMP_EQ" }, { "index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ" } ] },
	    { "names": [ "socket" ], "action": "SCMP_ACT_ERRNO", "errnoRet": 22, "args": [
	      { "index": 0, "value": 16, "op": "SCMP_CMP_EQ" }, { "index": 2, "value": 9, "op": "SCMP_CMP_EQ" } ] },
	    { "names": [ "setdomainname" ], "action": "SCMP_ACT_ERRNO", "errnoRet": null } ] }
	END
	decides allow odd.json read
	decides allow odd.json write
	decides "errno ENOSYS" odd.json mount
	decides "errno ENOSYS" odd.json chroot
	decides "errno ENOSYS" odd.json bpf
	decides "errno ENOSYS" --cap BPF odd.json bpf
	decides allow --cap BPF --cap CAP_SYS_ADMIN odd.json bpf
	decides "errno ENOSYS" odd.json keyctl
	decides allow --kernel 4.4 odd.json keyctl
	decides allow odd.json personality 0xffffffff
	decides allow odd.json personality 0
	decides "errno ENOSYS" odd.json personality 1
	decides "errno EINVAL" odd.json socket 16 3 9
	decides "errno ENOSYS" odd.json socket 16 3 8
	decides "errno EPERM" odd.json setdomainname
	skep seccomp compile --arch aarch64 odd.json >arm
	decides allow --arch aarch64 arm chroot
	decides allow --arch aarch64 arm mount
}

@test "seccomp: profiles of container runtimes become what these make of them, smaller and faster" {
	profile
	profiles=(profile.json)
	for path in /usr/share/containers/seccomp.json /etc/docker/seccomp.json \
		/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json; do
		[ ! -r "$path" ] || profiles+=("$path")
	done
	run python3 "$BATS_TEST_DIRNAME/seccomp_compare.py" "$SKEP" -p "${profiles[@]}"
	[ "$status" != 77 ] || skip "no libseccomp"
	echo "$output"
	[ "$status" = 0 ]
	[ "${#lines[@]}" = $((${#profiles[@]} * 2)) ]
}

@test "seccomp: every notation and the bytes are read back as the same filter" {
	policy
	skep seccomp compile policy >listing
	for form in c decimal asm line macros; do
		skep seccomp compile --form $form policy -o "as.$form"
		skep seccomp compile "as.$form" >again
		cmp listing again
	done
	skep seccomp compile --binary policy -o bytes
	[ $(($(wc -c <bytes) % 8)) = 0 ]
	skep seccomp compile bytes | cmp listing -
	run skep seccomp disasm bytes
	[ "$status" = 0 ]
	[[ "$output" == *"; architecture"*"; x86_64"*"; system call"*"; clone3"*"; arg0, low"*"; errno ENOSYS"* ]]
}

@test "seccomp: decides as libseccomp's filters do, in a quarter of the steps" {
	run python3 "$BATS_TEST_DIRNAME/seccomp_compare.py" "$SKEP"
	[ "$status" != 77 ] || skip "no libseccomp"
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *": 0 differ" ]]
}

@test "seccomp: the kernel takes the filter and does as it says" {
	printf 'default allow\nerrno EXDEV getpid\nerrno 77 getpriority if arg0 == 1 and arg1 in 5..9\n' >p
	skep seccomp compile --binary p -o bytes
	run python3 -c '
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
code = open("bytes", "rb").read()
array = ctypes.create_string_buffer(code, len(code))
prog = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(array))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, prog) == 0
def call(*args):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(*args) == -1 else 0
print(call(39), call(140, 1, 5), call(140, 1, 9), call(140, 1, 10) != 77, call(140, 0, 5) != 77)
'
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "18 77 77 True True" ]
}

@test "seccomp: explain lists the calls that are treated otherwise than those without a name" {
	policy
	run skep seccomp explain policy
	[ "$status" = 0 ]
	[[ "$output" == *"x86_64    clone  "*"  allow if arg0.low & 0x7e020000 == 0; errno EPERM otherwise"* ]]
	[[ "$output" == *"x86_64    (others)  "*"  errno EPERM"*"x86       read  "*"  allow"* ]]
	[[ "$output" == *"x32       (others)  "*"  kill-process"*"(others)  (any)  "*"  kill-process"* ]]
	[[ "$output" != *"mount"* ]]
	skep seccomp explain --all --arch x86_64 policy >all
	grep -q 'x86_64  mount .* errno EPERM' all
	[ "$(grep -c x86_64 all)" -gt 350 ]
	! grep -q x32 all
	skep seccomp explain -j -a x86 policy >lines
	[ "$(json decision <lines | grep -c '^allow$')" = 3 ]
}

@test "seccomp: diff shows a call for each difference, and proves that there is none" {
	policy
	sed 's/0x7e020000/0x7e000000/; s/^allow read/allow mount@x86 read/' policy >other
	run skep seccomp diff policy other
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 3 ]
	[[ "$output" == *"x86_64 clone"*"errno EPERM, then allow: of clone(0x20000, 0, 0, 0, 0, 0)"* ]]
	[[ "$output" == *"x86 mount"* ]]
	skep seccomp compile --form c policy >same
	run skep seccomp diff policy same
	[ "$status" = 0 ]
	[ "$output" = "equal: every call is treated the same" ]
	run skep seccomp diff --arch x32 policy other
	[ "$status" = 0 ]
	printf 'ld [16]\nadd #1\njeq #5, y, n\ny: ret #1\nn: ret #0\n' >sum
	printf 'ret #0\n' >kill
	run skep seccomp diff sum kill
	[ "$status" = 1 ]
	[[ "$output" == *"x86_64 read: unknown, it cannot be followed"* ]]
	run skep seccomp diff -j sum kill
	[[ "${lines[0]}" == '{"v":1,"arch":"x86_64","call":"read","unknown":true}' ]]
	sed 's/^arch.*/arch x86_64 x86 aarch64/' policy >arm
	run skep seccomp diff -j policy arm
	[ "$status" = 1 ]
	[[ "${lines[0]}" == '{"v":1,"arch":"aarch64","call":'*'"first":"kill-process","second":"errno EPERM"}' ]]
}

@test "seccomp: run does as the policy says, to all that the command starts, and tells what was refused" {
	may_trace
	python=$(python3 -c 'import sys; print(sys.executable)')
	cat >script.py <<-'END'
	import os, signal, sys
	def attempt(number, *args):
	    sys.stdout.write("%d " % libc.syscall(number, *args) + str(ctypes.get_errno()) + "\n")
	    sys.stdout.flush()
	import ctypes
	libc = ctypes.CDLL(None, use_errno=True)
	attempt(83, b"made", 0o755)
	attempt(140, 0, 0)
	attempt(141, 3, 1, 2)
	signal.signal(signal.SIGSYS, lambda number, frame: print("SIGSYS", flush=True))
	libc.syscall(145, 7)
	if os.fork() == 0:
	    os.execv("/bin/mkdir", ["mkdir", "made"])
	os.wait()
	print(os.path.exists("made"), flush=True)
	libc.syscall(121, 1)
	print("alive")
	END
	printf '%s\n' 'default allow' 'errno EACCES mkdir mkdirat' 'log getpriority' 'notify setpriority if arg0 == 3' \
		'trap 9 sched_getscheduler' 'kill-process getpgid if arg0 == 1' >policy
	run skep seccomp run -o told policy -- "$python" script.py
	echo "$output"
	cat told
	[ "$status" = 159 ]
	[ "${lines[0]}" = "-1 13" ]
	[[ "${lines[1]}" == "$((20 - $(nice))) "* ]]
	[ "${lines[2]}" = "-1 38" ]
	[ "${lines[3]}" = SIGSYS ]
	[[ "$output" == *"mkdir: cannot create directory"*"Permission denied"*"False"* ]]
	[[ "$output" != *alive* ]]
	grep -Eq '^\[[0-9]+\] mkdir\("made", 0755\): errno EACCES by instruction [0-9]+, at libc[^ ]*\+0x[0-9a-f]+( |$)' told
	grep -q 'getpriority(0, 0): log by' told
	grep -q 'setpriority(3, 1, 2): notify by' told
	grep -q 'sched_getscheduler(7): trap 9 by' told
	grep -q 'getpgid(1): kill-process by' told
	# the instruction is one that returns just that
	number=$(sed -n 's/.*getpgid.* by instruction \([0-9]*\),.*/\1/p' told)
	skep seccomp disasm policy | grep "^($(printf '%03d' "$number"))" | grep -q '; kill-process$'
	[ "$(cut -d']' -f1 told | sort -u | wc -l)" = 2 ]
	run skep seccomp run policy -- false
	[ "$status" = 1 ]
	run -127 skep seccomp run policy -- ./nothing
	run skep seccomp run policy
	[ "$status" = 2 ]
}

# A program that asks for all that a policy can do, in threads and children.
refused_program() {
	cat >refused.c <<-'END'
	#define _GNU_SOURCE
	#include <errno.h>
	#include <pthread.h>
	#include <signal.h>
	#include <stdio.h>
	#include <sys/socket.h>
	#include <sys/stat.h>
	#include <sys/syscall.h>
	#include <sys/wait.h>
	#include <ucontext.h>
	#include <unistd.h>

	static volatile int traps;

	static void on_trap(int number, siginfo_t *info, void *context)
	{
		traps++;
		if (traps < 3)
			printf("signal %d code %d errno %d call %d arch %#x rax %lld\n", number, info->si_code, info->si_errno,
			       info->si_syscall, info->si_arch, ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX]);
	}

	static void *many(void *arg)
	{
		for (int i = 0; i < 10; i++)
			syscall(SYS_sched_getscheduler, 7);
		return arg;
	}

	static void *ends(void *arg)
	{
		syscall(SYS_getpgid, 1);
		printf("not reached\n");
		return arg;
	}

	static int make(void)
	{
		return mkdir("made", 0755); /* here */
	}

	static void child(int which)
	{
		int status;

		if (fork() == 0) {
			sigset_t set;

			if (which == 0)
				signal(SIGSYS, SIG_IGN);
			sigfillset(&set);
			if (which == 1)
				sigprocmask(SIG_BLOCK, &set, NULL);
			if (which == 2)
				execl("/bin/mkdir", "mkdir", "made", NULL);
			if (which == 3)
				syscall(SYS_getpgid, 1);
			syscall(SYS_sched_getscheduler, 8);
			printf("child %d goes on\n", which);
			_exit(0);
		}
		wait(&status);
		printf("child %d: %#x\n", which, status & ~0x80);
	}

	int main(void)
	{
		struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
		pthread_t threads[4];

		setvbuf(stdout, NULL, _IOLBF, 0);
		sigaction(SIGSYS, &action, NULL);
		printf("mkdir %d", make());
		printf(" %d\n", errno);
		printf("socket %d", socket(AF_NETLINK, SOCK_RAW, 0));
		printf(" %d\n", errno);
		printf("trap %ld\n", syscall(SYS_sched_getscheduler, 7));
		for (int i = 0; i < 4; i++)
			child(i);
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, many, NULL);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		printf("%d traps\n", traps);
		pthread_create(&threads[0], NULL, ends, NULL);
		pthread_join(threads[0], NULL);
		printf("trace %ld", syscall(SYS_setpriority, 3, 1, 2));
		printf(" %d\n", errno);
		syscall(SYS_getsid, 1);
		printf("not reached\n");
		return 0;
	}
	END
	cc -g -O1 -pthread -o refused refused.c
	printf '%s\n' 'default allow' 'errno EACCES mkdir mkdirat' 'errno EAFNOSUPPORT socket if arg0 == 16' \
		'trap 9 sched_getscheduler' 'kill-thread getpgid' 'kill-process getsid' 'trace 5 setpriority' >policy
}

@test "seccomp: a command under run sees what it sees under the kernel's own filter" {
	may_trace
	[ "$(uname -m)" = x86_64 ] || skip "the program of this test knows x86_64's registers"
	refused_program
	skep seccomp compile -b policy -o bytes
	cat >under.py <<-'END'
	import ctypes, os, struct, sys
	libc = ctypes.CDLL(None)
	code = open("bytes", "rb").read()
	array = ctypes.create_string_buffer(code, len(code))
	assert libc.prctl(38, 1, 0, 0, 0) == 0
	assert libc.prctl(22, 2, struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(array))) == 0
	os.execv("./refused", ["refused"])
	END
	ulimit -c 0
	run -159 python3 under.py
	grep -v '^mkdir: ' <<<"$output" >kernel
	run -159 skep seccomp run -o told policy -- ./refused
	grep -v '^mkdir: ' <<<"$output" | diff kernel -
	cat kernel
	grep -q '^signal 31 code 1 errno 9 call 145 arch 0xc000003e rax 145$' kernel
	grep -q '^41 traps$' kernel
	[ "$(grep -c 'sched_getscheduler(7): trap 9 by' told)" = 41 ]
	[ "$(grep -c 'sched_getscheduler(8): trap 9 by' told)" = 2 ]
	[ "$(grep -c ', thread [0-9]*\] sched_getscheduler' told)" = 40 ]
	grep -q ', thread [0-9]*\] getpgid(1): kill-thread by' told
	grep -q 'mkdir("made", 0777): errno EACCES' told
	grep -q 'socket(AF_NETLINK, 0x3, 0): errno EAFNOSUPPORT by' told
	grep -q 'setpriority(3, 1, 2): trace 5 by' told
}

@test "seccomp: a refused call is told with the line that it came from" {
	may_trace
	python3 -c 'import ctypes; ctypes.CDLL("libdw.so.1")' 2>/dev/null || skip "no libdw"
	[ -e /usr/include/elfutils/libdwfl.h ] || skip "Skep was built without libdw's header"
	[ "$(uname -m)" = x86_64 ] || skip "the program of this test knows x86_64's registers"
	refused_program
	line=$(grep -n '/\* here \*/' refused.c | cut -d: -f1)
	run -159 skep seccomp run -o told policy -- ./refused
	cat told
	grep -q "mkdir(\"made\", 0755): .* (.*mkdir), from [a-z]* (.*refused.c:$line)$" told
	[ "$(grep -c 'refused.c:' told)" -ge 48 ]
	run -159 skep seccomp run -j -o told policy -- ./refused
	[ "$(head -n 1 told | json source | sed 's/.*refused/refused/')" = "refused.c:$line" ]
	[ "$(head -n 1 told | json arguments)" = '"made", 0755' ]
}

@test "seccomp: record keeps which arguments matter, and no others are allowed" {
	may_trace
	python=$(python3 -c 'import sys; print(sys.executable)')
	cat >sockets.py <<-'END'
	import socket, sys
	for family in sys.argv[1:]:
	    try:
	        socket.socket(getattr(socket, family)).close()
	        print(family)
	    except PermissionError:
	        print("no", family)
	END
	skep seccomp record --arguments --value getpriority:0 -o needed -- "$python" sockets.py AF_UNIX AF_INET
	grep -q '^allow socket@x86_64 if arg0 & 0xffffffff == 0x1$' needed
	grep -q '^allow socket@x86_64 if arg0 & 0xffffffff == 0x2$' needed
	! grep -q '^allow socket@x86_64$' needed
	grep -q '^allow read@x86_64$' needed
	run skep seccomp run -o told needed -- "$python" sockets.py AF_INET AF_UNIX
	[ "$output" = "$(printf 'AF_INET\nAF_UNIX')" ]
	run skep seccomp run -o told needed -- "$python" sockets.py AF_UNIX AF_INET6
	[ "$output" = "$(printf 'AF_UNIX\nno AF_INET6')" ]
	grep -q 'socket(AF_INET6, .*: errno EPERM' told
	run skep seccomp record --value sokcet:0 -- true
	[ "$status" = 1 ]
	[[ "$output" == *"there is no system call 'sokcet'"*"did you mean 'socket'?"* ]]
	run skep seccomp record --value socket:7 -- true
	[ "$status" = 1 ]
	[[ "$output" == *"is not CALL:ARGUMENT"* ]]
}

@test "seccomp: record writes a policy that the command runs under, and others do not" {
	may_trace
	skep seccomp record -o needed -- /bin/ls / >listed
	ls / | cmp listed -
	grep -q '^allow execve@x86_64$' needed
	grep -q '^allow getdents64@x86_64$' needed
	! grep -q mkdir needed
	run skep seccomp run needed -- /bin/ls /
	[ "$status" = 0 ]
	[ "$output" = "$(cat listed)" ]
	run skep seccomp run -j needed -- /bin/mkdir made
	[ "$status" != 0 ]
	[[ "$output" == *'"call":"mkdir'*'"action":"errno EPERM"'* ]]
	[ ! -e made ]
}

@test "seccomp: what is wrong with a policy is said, with its place" {
	printf 'allow read\nallow raed\n' >p
	run skep seccomp compile p
	[ "$status" = 1 ]
	[[ "$output" == *"F005"*"there is no system call 'raed'"* ]]
	[[ "$output" == *"p:2"*"allow raed"*"^~~~"*"did you mean 'read'?"* ]]
	printf 'allow @basic-oi\n' >p
	run skep seccomp compile p
	[[ "$output" == *"there is no group of system calls '@basic-oi'"*"did you mean '@basic-io'?"* ]]
	printf 'allow ~@clock\n' >p
	run skep seccomp compile p
	[ "$status" = 1 ]
	[[ "$output" == *"an action without a system call"*"@known ~@clock"* ]]
	printf 'allow open@aarch64\n' >p
	run skep seccomp compile p
	[[ "$output" == *"there is no system call 'open' on aarch64"* ]]
	printf 'deny mount\n' >p
	run skep seccomp compile p
	[[ "$output" == *"'deny' is not an action"*"did you mean 'errno EPERM'?"* ]]
	printf 'errno EPREM mount\n' >p
	run skep seccomp compile p
	[[ "$output" == *"'EPREM' is neither an error nor a system call"* ]]
	printf '# nothing\n\n' >p
	run skep seccomp compile p
	[ "$status" = 1 ]
	[[ "$output" == *"there is no line with anything in it"* ]]
	run skep seccomp compile "$(command -v "$SKEP")"
	[ "$status" = 1 ]
	[[ "$output" == *"is a program or object, not a policy"* ]]
	echo '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": [ "mont", "cacheflush" ], "action": "SCMP_ACT_ERRNO" } ] }' >p.json
	run skep seccomp compile p.json
	[ "$status" = 0 ]
	[ "${lines[0]}" = "skep: warning: p.json: there is no system call 'mont': it is passed over; did you mean 'mount'?" ]
	[[ "$output" != *cacheflush* ]]
	echo '{ "defaultAction": "SCMP_ACT_NOTHING" }' >p.json
	run skep seccomp compile p.json
	[ "$status" = 1 ]
	[[ "$output" == *"F006"*"'SCMP_ACT_NOTHING' is not an action"* ]]
	echo '{ "defaultAction": "SCMP_ACT_ALLOW",, }' >p.json
	run skep seccomp compile p.json
	[ "$status" = 1 ]
	[[ "$output" == *"F006"*"p.json:1"* ]]
	run skep seccomp emulate -a vax p read
	[ "$status" = 1 ]
	[[ "$output" == *"there is no architecture 'vax'"* ]]
	run skep seccomp emulate p raed
	[[ "$output" == *"there is no system call 'raed' on x86_64"*"did you mean 'read'?"* ]]
	run skep seccomp emulate p read one
	[[ "$output" == *"argument 0, 'one', is not a number"* ]]
	run skep seccomp compile --form morse p
	[ "$status" = 2 ]
	run skep seccomp compile
	[ "$status" = 2 ]
}

@test "seccomp: the filters of a running process are listed, told and asked, the newest first" {
	may_trace
	grep -q '^CapEff:.*[2367abef].\{5\}$' /proc/self/status || skip "without CAP_SYS_ADMIN the kernel hands out no filters"
	grep -q '^Seccomp:.0$' /proc/self/status || skip "this process has a seccomp filter itself: the kernel hands out none"
	printf 'default allow\nerrno EPERM mount\n' >old
	printf 'default allow\nkill-process mount if arg0 == 1\nlog getpid\n' >new
	skep seccomp compile -b old -o old.b
	skep seccomp compile -b new -o new.b
	cat >two.py <<-'END'
	import ctypes, struct, sys
	libc = ctypes.CDLL(None, use_errno=True)
	assert libc.prctl(38, 1, 0, 0, 0) == 0
	for path, flags in ("old.b", 0), ("new.b", 2):
	    code = open(path, "rb").read()
	    array = ctypes.create_string_buffer(code, len(code))
	    prog = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(array))
	    assert libc.syscall(317, 1, flags, prog) == 0
	print("ready", flush=True)
	sys.stdin.read()
	END
	mkfifo hold
	python3 two.py <hold >said 3>&- &
	pid=$!
	exec 7>hold
	until grep -q ready said; do sleep 0.05; kill -0 $pid; done
	skep seccomp disasm --pid $pid >listed
	cat listed
	[ "$(grep -c ^filter listed)" = 2 ]
	grep -q '^filter 1 of 2 (the newest), .* log:$' listed
	grep -q '^filter 2 of 2, .* no flags:$' listed
	sed '1d;/^filter 2/,$d' listed >one
	skep seccomp disasm new | cmp - one
	sed '1,/^filter 2/d' listed >one
	skep seccomp disasm old | cmp - one
	skep seccomp explain --pid $pid -a x86_64 >told
	grep -q 'mount .*kill-process if arg0 == 0x1; allow otherwise' told
	decides kill-process --pid $pid mount 1
	decides "errno EPERM" --pid $pid mount 0
	decides log --pid $pid getpid
	# Asking it has not stopped it; it may be on its way back to sleep.
	for _ in $(seq 200); do
		grep -q '^State:.S' /proc/$pid/status && break
		sleep 0.05
	done
	grep -q '^State:.S' /proc/$pid/status
	exec 7>&-
	wait $pid
	sleep 1000 3>&- &
	pid=$!
	run skep seccomp disasm --pid $pid
	kill $pid
	[ "$status" = 0 ]
	[ "$output" = "process $pid has no seccomp filter" ]
}

@test "seccomp: why the filters of a process cannot be had is said" {
	may_trace
	run skep seccomp disasm --pid 4194304
	[ "$status" = 1 ]
	[[ "$output" == *"F007"*"cannot stop process 4194304"*"there is no such process"* ]]
	run skep seccomp explain --pid 9999999999
	[ "$status" = 1 ]
	[[ "$output" == *"9999999999 is not the number of a process"* ]]
	run skep seccomp disasm --pid 1 policy
	[ "$status" = 2 ]
	[ "$(id -u)" = 0 ] || skip "this user is without CAP_SYS_ADMIN anyway"
	command -v setpriv >/dev/null || skip "no setpriv"
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$SKEP" || skip "another user cannot run the command here"
	setpriv --reuid=65534 --regid=65534 --clear-groups sleep 1000 3>&- &
	pid=$!
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$SKEP" seccomp disasm --pid $pid
	kill $pid
	[ "$status" = 1 ]
	[[ "$output" == *"F007"*"process $pid"*"help: "* ]]
}
