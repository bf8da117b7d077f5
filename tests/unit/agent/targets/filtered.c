/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that sandboxes itself, in the way its argument says, and goes on to work.
 * Status 7: nothing happened to it; another signal or status: a call that it did not
 * make was found by its filter.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void filter(const int *calls, size_t count)
{
	struct sock_filter code[40];
	struct sock_fprog program = { .filter = code };
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program.len = n;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		_exit(9);
}

static void work(void)
{
	for (int i = 0; i < 100; i++)
		if (syscall(SYS_getppid) <= 0)
			_exit(8);
}

static void on_signal(int sig)
{
	(void)sig;
}

static volatile int started, go_on;

static void *worker(void *arg)
{
	started = 1;
	while (!go_on)
		;
	work();
	return arg;
}

int main(int argc, char **argv)
{
	static const int tight[] = { SYS_write, SYS_getppid, SYS_exit_group, SYS_tgkill, SYS_gettid,
				     SYS_getpid, SYS_futex, SYS_exit, SYS_madvise, SYS_rt_sigprocmask,
				     SYS_rseq, SYS_munmap };
	static const int lists[] = { SYS_write, SYS_getppid, SYS_exit_group, SYS_rt_sigreturn,
				     SYS_getpid, SYS_gettid, SYS_tgkill, SYS_rt_sigprocmask };
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t thread;

	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	if (strcmp(how, "worked") == 0)
		return 7;
	if (strcmp(how, "strict") == 0) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
			return 9;
		syscall(SYS_exit, write(1, "", 0) == 0 ? 7 : 8);
	}
	if (strcmp(how, "exec") == 0) {
		/* What the agent is brought in by is missing: openat, mmap with a file ... */
		static const int calls[] = { SYS_execve, SYS_exit_group, SYS_brk, SYS_arch_prctl,
			SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_prlimit64,
			SYS_readlink, SYS_readlinkat, SYS_getrandom, SYS_mprotect, SYS_close,
			SYS_rt_sigreturn, SYS_newfstatat, SYS_mmap };

		filter(calls, sizeof(calls) / sizeof(*calls));
		execl("/proc/self/exe", argv[0], "worked", (char *)NULL);
		return 6;
	}
	signal(SIGUSR1, on_signal);
	if (strcmp(how, "threads") == 0 && pthread_create(&thread, NULL, worker, NULL) == 0)
		while (!started)
			; /* until then it makes other calls */
	if (strcmp(how, "lists") == 0)
		filter(lists, sizeof(lists) / sizeof(*lists));
	else
		filter(tight, sizeof(tight) / sizeof(*tight));
	go_on = 1;
	if (strcmp(how, "threads") == 0)
		pthread_join(thread, NULL);
	else if (strcmp(how, "lists") == 0)
		raise(SIGUSR1);
	work();
	_exit(7);
}
