/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caged.c - caged strict|kill|allow|NUMBER: under such a filter of system calls, opens a file it
 * need not open (allow, NUMBER) and writes a dot now and then, until its parent ends.
 *
 * kill: of all calls but a few the first ends the process. NUMBER: the call of that number does.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
		  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int main(int argc, char **argv)
{
	struct sock_filter few[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_write), ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog kill = { sizeof(few) / sizeof(*few), few }, allow = { 1, all };
	const char *kind = argc > 1 ? argv[1] : "";
	struct sock_filter one[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)atoi(kind), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog but_one = { sizeof(one) / sizeof(*one), one };
	int opens = strcmp(kind, "allow") == 0 || atoi(kind) > 0;

	prctl(PR_SET_PDEATHSIG, 9);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (strcmp(kind, "strict") == 0)
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	else
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, strcmp(kind, "kill") == 0 ? &kill :
		      atoi(kind) > 0 ? &but_one : &allow);
	for (;;) {
		for (volatile uint32_t i = 0; i < 10000000; i++)
			continue;
		if (opens)
			close(open("/proc/self/stat", O_RDONLY));
		syscall(SYS_write, 1, ".", 1);
	}
}
