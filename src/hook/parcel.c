/* SPDX-License-Identifier: BSD-2-Clause */
/* parcel.c - see parcel.h. */
#include "hook/parcel.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook/trace.h"

/* In the target, or here: what comes by a pair of sockets is a byte and two descriptors. */
struct parcel {
	int32_t pair[2];
	struct msghdr message;
	struct iovec byte;
	struct {
		uint64_t length;         /* as struct cmsghdr has it */
		int32_t level, type;
		int32_t image, arena;
	} control;
	uint64_t room;
};

_Static_assert(offsetof(struct parcel, message) == 8 &&
	       offsetof(struct parcel, control.image) == 96 &&
	       offsetof(struct parcel, control.arena) == 100, "the loader knows where things are");

/* Puts both descriptors into one end of the target's pair. */
static int send_files(const struct injector *injector, pid_t pid, int32_t end)
{
	struct parcel parcel = {
		.byte = { .iov_base = &parcel.room, .iov_len = 1 },
		.message = { .msg_iov = &parcel.byte, .msg_iovlen = 1, .msg_control = &parcel.control,
			     .msg_controllen = sizeof(parcel.control) },
		.control = { .length = sizeof(parcel.control), .level = SOL_SOCKET, .type = SCM_RIGHTS,
			     .image = injector->image_file, .arena = injector->arena_file },
	};
	int process = (int)syscall(SYS_pidfd_open, pid, 0), error = 0;
	int own = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, end, 0);

	if (own < 0 || sendmsg(own, &parcel.message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		error = -errno;
	if (own >= 0)
		close(own);
	if (process >= 0)
		close(process);
	return error;
}

/* The parcel there, with what recvmsg() needs; pair is filled in. */
static int prepare_parcel(pid_t tid, uint64_t at, struct parcel *parcel)
{
	int error = trace_read(tid, at, parcel->pair, sizeof(parcel->pair));

	parcel->message.msg_iov = (void *)(uintptr_t)(at + offsetof(struct parcel, byte));
	parcel->message.msg_iovlen = 1;
	parcel->message.msg_control = (void *)(uintptr_t)(at + offsetof(struct parcel, control));
	parcel->message.msg_controllen = sizeof(parcel->control);
	parcel->byte.iov_base = (void *)(uintptr_t)(at + offsetof(struct parcel, room));
	parcel->byte.iov_len = 1;
	parcel->control.image = parcel->control.arena = -1;
	return error < 0 ? error : trace_write(tid, at, parcel, sizeof(*parcel));
}

int64_t parcel_start(const struct injector *injector, struct loading *loading, pid_t pid)
{
	struct parcel parcel = { 0 };
	int64_t at = loading_run(loading, LOADER_PAIR, 0), taken;
	int error;

	if (at < 0)
		return at;
	error = prepare_parcel(loading->tid, (uint64_t)at, &parcel);
	if (error == 0)
		error = send_files(injector, pid, parcel.pair[1]);
	taken = loading_run(loading, LOADER_TAKE, (uint64_t)at); /* which closes in any case */
	return error < 0 ? error : taken;
}

/* A child of this process, with its filters of system calls, as a command has that it starts. */
static bool sockets_work(void)
{
	int status = -1, pair[2];
	pid_t pid = fork();

	if (pid == 0) {
		struct msghdr message = { 0 };

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			_exit(1);
		_exit(recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0 && errno != EAGAIN);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return pid > 0 && status == 0;
}

bool parcel_may(const struct inject *what)
{
	if (what->why == AGENT_SPAWNED)
		return prctl(PR_GET_SECCOMP) == 0 || sockets_work();
	return what->sockets || trace_status(what->pid, "Seccomp:") == 0;
}
