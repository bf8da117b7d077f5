/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.c - a command of which everything is known: every call, argument and result.
 *
 *   calls DIRECTORY ADDRESS PORT [PART]
 *
 * It lives in DIRECTORY, in which the driver made files; its sockets are at ADDRESS (127.x.y.z)
 * and PORT. Where something can be looked at it marks the place by a call that fails, whose
 * arguments say which place it is and what is to be looked at. It prints "role id" for each
 * thread, so that what is told of ids can be compared.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEN __attribute__((noinline, noclone, used, externally_visible))

/* What the objects look for. */
enum { MARK_NUMBERS = 1, MARK_FILE, MARK_SOCKET, MARK_TASK, MARK_CLOCKS, MARK_MEMORY };

/* Its flags are none that there are: refused before anything else is looked at. */
static void mark(long what, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	syscall(SYS_process_vm_readv, what, a, b, c, d, 77);
}

static void say(const char *role)
{
	char line[64];
	int size = snprintf(line, sizeof(line), "%s %ld\n", role, (long)syscall(SYS_gettid));

	if (write(STDOUT_FILENO, line, (size_t)size) != size)
		exit(9);
}

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(8);
}

/* --- functions that are probed --- */

SEEN long probed_six(int a, unsigned b, long c, const char *d, uint8_t e, int64_t f)
{
	return a + (long)b + c + d[0] + e + f;
}

SEEN long probed_stack(long a, long b, long c, long d, long e, long f, long g, long h)
{
	return a + b + c + d + e + f + g * 1000 + h * 10000;
}

SEEN uint64_t probed_number(uint64_t n)
{
	__asm__ volatile(".globl probed_inside\n.type probed_inside,@function\nprobed_inside:" : "+r"(n));
	return n ^ 0xfedcba9876543210;
}

SEEN long probed_depth(long n)
{
	long below = n ? probed_depth(n - 1) : 0;

	__asm__ volatile("" : "+r"(below));
	return below + n;
}

SEEN const char *probed_text(const char *text)
{
	return text + 6;
}

SEEN int probed_int(int n)
{
	return -n;
}

__asm__(".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
	".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n.popsection\n");
#define USDT(name, args, ...)                                                                    \
	__asm__ volatile("990: nop\n.pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n"       \
			 ".4byte 992f-991f,994f-993f,3\n991: .asciz \"stapsdt\"\n992: .balign 4\n" \
			 "993: .8byte 990b\n.8byte _.stapsdt.base\n.8byte 0\n"                    \
			 ".asciz \"values\"\n.asciz \"" name "\"\n.asciz \"" args "\"\n"          \
			 "994: .balign 4\n.popsection" : : __VA_ARGS__)

volatile int64_t static_number = -5;
static struct {
	int32_t before;
	int16_t word;
	uint8_t bytes[6];
} table[4] = { { 1, -2, { 3 } }, { 4, -5, { 6, 200 } }, { 7, -8, { 9 } }, { 10, -11, { 12 } } };

/* Every kind of argument that notes describe. What they are, the driver knows. */
static SEEN void locations(void)
{
	long big = 0x1122334455667788;
	int negative = -7;
	register long r8 __asm__("r8") = 0x1ff, r9 __asm__("r9") = 0x12345;
	register long r10 __asm__("r10") = 0x80000000, r11 __asm__("r11") = -2;
	register long r12 __asm__("r12") = 12, r13 __asm__("r13") = -13;

	USDT("registers", "-4@%%eax 4@%%ebx -8@%%rcx 8@%%rdx -2@%%si 1@%%dil", "a"(negative),
	     "b"(negative), "c"(big), "d"(big), "S"(big), "D"(0x1fe));
	USDT("more", "-1@%%r8b 2@%%r9w -4@%%r10d 8@%%r11 8@%%r12 -8@%%r13", "r"(r8), "r"(r9),
	     "r"(r10), "r"(r11), "r"(r12), "r"(r13));
	USDT("numbers", "-4@$-7 8@$4660 1@$255 -2@$-32768 -8@$9 4@$-1", "a"(0));
	USDT("memory", "-8@(%%rax) -4@(%%rbx) -2@4(%%rbx) 1@7(%%rbx) 4@0(%%rax) 8@-8(%%rbx)",
	     "a"(&static_number), "b"(&table[1]));
	USDT("none", "", "a"(0));
}

static void probes(void)
{
	static char text[] = "probed text";

	probed_six(-1, 0xfffffffe, -3, text, 0xfc, INT64_MIN);
	probed_stack(1, 2, 3, 4, 5, 6, 7, 8);
	probed_number(0x0123456789abcdef);
	probed_depth(3);
	probed_text(text);
	probed_int(5);
	locations();
}

/* --- numbers --- */

static void numbers(void)
{
	uint64_t big = 0xfedcba9876543210;

	mark(MARK_NUMBERS, 0, 0, 0, 0);
	mark(MARK_NUMBERS, big, ~UINT64_C(0), 0x80000000, 0x8000000000000000);
	syscall(SYS_close, 0x1234567890abcdef);
	syscall(SYS_dup3, -1, -1, 0x5555);
	syscall(999, 1, 2, 3, 4, 5, 6);
	syscall(-1, 1, 2, 3, 4, 5, 6);
	syscall(SYS_getppid, 1, 2, 3, 4, 5, 6);
	syscall(SYS_lseek, 1000, INT64_MIN, 7);
	syscall(SYS_openat, AT_FDCWD, "/does/not/exist", O_RDONLY | O_CLOEXEC, 0);
	syscall(SYS_openat, AT_FDCWD, 8, O_RDONLY, 0);
	syscall(SYS_openat, -1, "", 0, 0);
	syscall(SYS_mmap, 0, 0, 0, 0, -1, 4096);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	syscall(SYS_clock_gettime, id, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void clocks(void)
{
	mark(MARK_CLOCKS, clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_BOOTTIME), clock_ns(CLOCK_TAI), 0);
}

/* --- files --- */

static void file(int fd)
{
	mark(MARK_FILE, (uint64_t)fd, 0, 0, 0);
	if (fd > 2)
		close(fd);
}

static void files(void)
{
	int pipes[2], fd = open("text", O_RDONLY);

	must(fd >= 0 && lseek(fd, 5, SEEK_SET) == 5, "text");
	file(fd);
	file(open("text", O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK));
	file(open("text", O_WRONLY | O_DSYNC | O_NOFOLLOW));
	file(open("text", O_PATH));
	file(open("link", O_RDONLY));
	file(open("inner/deep", O_RDONLY | O_NOATIME));
	file(open(".", O_RDONLY | O_DIRECTORY));
	file(open("/", O_RDONLY | O_DIRECTORY));
	file(open("/dev/null", O_RDWR));
	file(open("/proc/self/status", O_RDONLY));
	file(open("fifo", O_RDWR));
	must(pipe2(pipes, O_NONBLOCK) == 0, "pipe");
	file(pipes[0]);
	file(pipes[1]);
	file(memfd_create("memory file", 0));
	file(eventfd(3, EFD_NONBLOCK));
	file(epoll_create1(EPOLL_CLOEXEC));
	file(open("/dev/zero", O_WRONLY | O_TRUNC));
	file(dup2(1, 200));
	file(open("gone", O_RDWR | O_CREAT | O_EXCL, 0604));
	fd = open("gone", O_RDWR);
	must(unlink("gone") == 0, "gone");
	file(fd);
	file(open(".", O_RDWR | O_TMPFILE, 0600));
	file(999);
	file(-1);
}

static void mappings(void)
{
	int fd = open("text", O_RDONLY);
	char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);

	must(page != MAP_FAILED && *(volatile char *)page == 't', "mmap"); /* nobody reads what is not there yet */
	close(fd);
	mark(MARK_MEMORY, (uintptr_t)page + 10, (uintptr_t)&static_number, (uintptr_t)&fd, 16);
	munmap(page, 8192);
}

/* --- sockets --- */

static struct sockaddr_in address;
static struct sockaddr_in6 address6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

static int socket_at(int family, int type, int port)
{
	struct linger at_once = { 1, 0 };
	int fd = socket(family, type, 0), yes = 1;

	must(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	address.sin_port = address6.sin6_port = htons((uint16_t)port);
	if (port && family == AF_INET)
		must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	else if (port)
		must(bind(fd, (struct sockaddr *)&address6, sizeof(address6)) == 0, "bind");
	return fd;
}

static void socket_mark(int fd)
{
	mark(MARK_SOCKET, (uint64_t)fd, 0, 0, 0);
}

static void connect_to(int fd, int family, int port)
{
	address.sin_port = address6.sin6_port = htons((uint16_t)port);
	if (family == AF_INET)
		must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	else
		must(connect(fd, (struct sockaddr *)&address6, sizeof(address6)) == 0, "connect");
}

static void streams(int family, int port)
{
	int server = socket_at(family, SOCK_STREAM, port);
	int client = socket_at(family, SOCK_STREAM, port + 1), peer;

	socket_mark(client);
	must(listen(server, 7) == 0, "listen");
	socket_mark(server);
	connect_to(client, family, port);
	peer = accept(server, NULL, NULL);
	must(peer >= 0 && write(client, "question", 8) == 8, "write");
	must(read(peer, (char[100]){ 0 }, 100) == 8 && write(peer, "yes", 3) == 3, "read");
	must(read(client, (char[100]){ 0 }, 100) == 3, "read");
	socket_mark(client);
	socket_mark(peer);
	shutdown(client, SHUT_WR);
	socket_mark(client);
	close(client);
	close(peer);
	close(server);
}

static void datagrams(int family, int port)
{
	int mark_value = 42, priority = 3, room = 8192;
	int a = socket_at(family, SOCK_DGRAM, port), b = socket_at(family, SOCK_DGRAM, port + 1);

	setsockopt(b, SOL_SOCKET, SO_MARK, &mark_value, sizeof(mark_value));
	setsockopt(b, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	setsockopt(b, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(b, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(b, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	socket_mark(a);
	connect_to(b, family, port);
	socket_mark(b);
	close(a);
	close(b);
}

static void local(const char *path, size_t length)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size = (socklen_t)(sizeof(name.sun_family) + length);
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), peer;

	memcpy(name.sun_path, path, length);
	socket_mark(client);
	must(bind(server, (struct sockaddr *)&name, size) == 0, "bind");
	must(listen(server, 3) == 0, "listen");
	socket_mark(server);
	must(connect(client, (struct sockaddr *)&name, size) == 0, "connect");
	peer = accept(server, NULL, NULL);
	socket_mark(client);
	socket_mark(peer);
	close(peer);
	close(client);
	close(server);
	if (path[0])
		unlink(path);
}

static void sockets(int port)
{
	int pair[2];

	streams(AF_INET, port);
	streams(AF_INET6, port);
	datagrams(AF_INET, port);
	datagrams(AF_INET6, port);
	local("local socket", 13);
	local("\0abstract values", 16);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0, "socketpair");
	socket_mark(pair[0]);
	close(pair[0]);
	close(pair[1]);
	pair[0] = socket(AF_NETLINK, SOCK_RAW, 0);
	socket_mark(pair[0]);
	close(pair[0]);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	socket_mark(pair[0]);
	close(pair[0]);
}

/* --- tasks --- */

static void *thread(void *name)
{
	say(name);
	prctl(PR_SET_NAME, name);
	setpriority(PRIO_PROCESS, 0, 7);
	mark(MARK_TASK, 0, 0, 0, 0);
	return NULL;
}

static void threads(void)
{
	pthread_t one;

	for (int i = 0; i < 2; i++) {
		must(pthread_create(&one, NULL, thread, i ? "thread-two" : "thread-one") == 0, "thread");
		while (pthread_tryjoin_np(one, NULL) == EBUSY)
			; /* join() waits by a call, if it comes before the end */
	}
}

static void await(pid_t child)
{
	int status;

	must(child > 0 && waitpid(child, &status, 0) == child, "waitpid");
}

static void other_user(void)
{
	struct rlimit limit = { 100, 200 };

	say("user");
	setrlimit(RLIMIT_NOFILE, &limit);
	umask(027);
	setsid();
	must(setresgid(101, 102, 103) == 0, "setresgid");
	setfsgid(104);
	must(setresuid(201, 202, 203) == 0, "setresuid");
	mark(MARK_TASK, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "a name that is far too long");
	mark(MARK_TASK, 0, 0, 0, 0);
	_exit(0);
}

static void scheduled(void)
{
	struct sched_param rank = { .sched_priority = 10 };

	say("batch");
	nice(5);
	mark(MARK_TASK, 0, 0, 0, 0);
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	mark(MARK_TASK, 0, 0, 0, 0);
	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &rank);
	mark(MARK_TASK, 0, 0, 0, 0);
	_exit(3);
}

static pid_t started(void (*body)(void))
{
	pid_t child = fork();

	if (child == 0) {
		body();
		_exit(0);
	}
	return child;
}

static int ready[2];

/* The signal is there when it is let in. */
static void waits(void)
{
	sigset_t all;

	say("waits");
	must(read(ready[0], &all, 1) == 1, "ready");
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
}

static void faults(void)
{
	say("faults");
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	*(volatile int *)8 = 1;
}

/* What is between is nobody's business, and takes as long as it takes: the driver leaves it out. */
static void asleep(pid_t tid)
{
	pid_t watcher = fork();
	char path[64], text[512];
	ssize_t size;
	int fd;

	if (watcher) {
		await(watcher);
		return;
	}
	say("watcher");
	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	do {
		fd = open(path, O_RDONLY);
		size = read(fd, text, sizeof(text) - 1);
		must(size > 0, path);
		text[size] = '\0';
		close(fd);
	} while (strncmp(strrchr(text, ')'), ") S", 3) != 0);
	_exit(0);
}

/* --- calls that wait, and meet a signal --- */

static volatile int *handled;   /* shared with the watchers */

static void on_interrupt(int sig)
{
	(void)sig;
	++*handled;
}

static int is_in(pid_t pid, long call)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0, path);
	close(fd);
	return text[0] != 'r' && strtol(text, NULL, 10) == call;
}

/* Sends a signal to who has come here when it sleeps in that call. then: so that the call, begun
 * again, ends. */
static pid_t disturb(long call, void (*then)(void))
{
	pid_t me = getpid(), watcher = fork();
	int before = *handled;

	if (watcher)
		return watcher;
	say("watcher");
	while (!is_in(me, call))
		;
	kill(me, SIGUSR2);
	while (then && (*handled == before || !is_in(me, call)))
		;
	if (then)
		then();
	_exit(0);
}

static int waited[2], listener, limited;
static pid_t waited_for;

static void send_byte(void)
{
	must(write(waited[1], "", 1) == 1, "write");
}

static void join_it(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "waited for" };

	must(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof(name)) == 0, "join");
}

static void end_it(void)
{
	kill(waited_for, SIGKILL);
}

/* Long enough for nobody to see the end of it. */
static const struct timespec long_time = { 1000, 0 };

static void wait_always_ended(int word)
{
	struct timespec rest = long_time;
	struct pollfd poll_it = { waited[0], POLLIN, 0 };
	struct epoll_event event = { .events = EPOLLIN };
	struct timespec at = { 1 << 30, 0 };
	struct timeval time = { 1000, 0 };
	int epoll = epoll_create1(0);
	char byte;
	pid_t watcher;
	fd_set set;

#define DISTURBED(call, what)                         \
	watcher = disturb(SYS_##call, NULL);          \
	must(what < 0 && errno == EINTR, #call);      \
	await(watcher)
	FD_ZERO(&set);
	FD_SET(waited[0], &set);
	epoll_ctl(epoll, EPOLL_CTL_ADD, waited[0], &event);
	DISTURBED(nanosleep, syscall(SYS_nanosleep, &rest, &rest));
	DISTURBED(clock_nanosleep, syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &rest, &rest));
	DISTURBED(clock_nanosleep, syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
	DISTURBED(poll, syscall(SYS_poll, &poll_it, 1, -1));
	DISTURBED(select, syscall(SYS_select, waited[0] + 1, &set, NULL, NULL, &time));
	DISTURBED(epoll_wait, syscall(SYS_epoll_wait, epoll, &event, 1, 1000000));
	DISTURBED(futex, syscall(SYS_futex, &word, 0, word, &long_time));
	DISTURBED(futex, syscall(SYS_futex, &word, 9, word, &at, NULL, ~0));
	DISTURBED(recvfrom, syscall(SYS_recvfrom, limited, &byte, 1, 0, NULL, NULL));
	DISTURBED(read, syscall(SYS_read, limited, &byte, 1));
	DISTURBED(pause, syscall(SYS_pause));
	close(epoll);
}

static void wait_again(void)
{
	char byte;
	pid_t watcher = disturb(SYS_read, send_byte);

	must(read(waited[0], &byte, 1) == 1, "read");
	await(watcher);
	watcher = disturb(SYS_accept, join_it);
	must(accept(listener, NULL, NULL) >= 0, "accept");
	await(watcher);
	waited_for = fork();
	if (waited_for == 0) {
		say("watcher");
		for (;;)
			pause();
	}
	watcher = disturb(SYS_wait4, end_it);
	must(waitpid(waited_for, NULL, 0) == waited_for, "wait4");
	await(watcher);
}

static void wait_once(void)
{
	char byte;
	pid_t watcher;

	DISTURBED(read, read(waited[0], &byte, 1));
	DISTURBED(accept, accept(listener, NULL, NULL));
}

static void interruptions(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "waited for" };
	struct sigaction action = { .sa_handler = on_interrupt };
	struct timeval limit = { 1000, 0 };
	int pair[2];

	handled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(handled != MAP_FAILED && pipe(waited) == 0, "pipe");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	limited = pair[0];
	setsockopt(limited, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	must(bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0, "bind");
	must(listen(listener, 3) == 0, "listen");
	sigaction(SIGUSR2, &action, NULL);
	wait_always_ended(0);
	wait_once();
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &action, NULL);
	wait_always_ended(0);
	wait_again();
	close(pair[0]);
	close(pair[1]);
	close(listener);
	unlink(name.sun_path);
}

static volatile pid_t sleeper;

static void *sleeps(void *name)
{
	say(name);
	prctl(PR_SET_NAME, name);
	sleeper = (pid_t)syscall(SYS_gettid);
	pause();
	return NULL;
}

static void *ends_all(void *name)
{
	say(name);
	prctl(PR_SET_NAME, name);
	asleep(getpid());
	if (strstr(name, "faults"))
		*(volatile int *)8 = 1;
	_exit(7);
}

/* The one that ends the process goes first, and the other sleeps. */
static void ends_while_one_sleeps(void)
{
	pthread_t one;

	say("together");
	must(pthread_create(&one, NULL, sleeps, "sleeps") == 0, "thread");
	while (!sleeper)
		;
	asleep(sleeper);
	_exit(6);
}

static void sleeps_while_one_ends(void)
{
	pthread_t one;

	say("sleeper");
	must(pthread_create(&one, NULL, ends_all, "ends-all") == 0, "thread");
	pause();
}

static void sleeps_while_one_faults(void)
{
	pthread_t one;

	say("sleeper-two");
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	must(pthread_create(&one, NULL, ends_all, "faults-all") == 0, "thread");
	pause();
}

static void grandparent(void)
{
	pid_t child;

	say("middle");
	child = fork();
	if (child == 0) {
		say("lowest");
		mark(MARK_TASK, 0, 0, 0, 0);
		_exit(258);
	}
	await(child);
	exit(7);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	mark(MARK_NUMBERS, (uint64_t)sig, (uint64_t)(int64_t)info->si_code, info->si_value.sival_int, 0);
}

static void signals(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t blocked, none;
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 55 });
	kill(getpid(), SIGURG);
	kill(getpid(), 0);
	kill(getpid(), 99);
	sigemptyset(&blocked);
	sigemptyset(&none);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	/* Calls that wait, when the signal is there already; and one that says it was interrupted. */
	kill(getpid(), SIGUSR1);
	sigsuspend(&none);
	kill(getpid(), SIGUSR1);
	ppoll(NULL, 0, NULL, &none);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	kill(getpid(), SIGPIPE);
	must(pipe(ready) == 0, "pipe");
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	child = started(waits);
	kill(child, SIGTERM);
	must(write(ready[1], "", 1) == 1, "ready");
	await(child);
	await(started(faults));
}

static void children(char **argv)
{
	char *again[] = { argv[0], "child", "an argument", "", NULL };
	char *env[] = { "NAME=value", "OTHER=", "THIRD=3", NULL };
	pid_t child;

	await(started(ends_while_one_sleeps));
	await(started(sleeps_while_one_ends));
	await(started(sleeps_while_one_faults));
	await(started(other_user));
	await(started(scheduled));
	await(started(grandparent));
	child = fork();
	if (child == 0) {
		say("again");
		execve("/does/not/exist", again, env);
		execve(argv[0], again, env);
		_exit(1);
	}
	await(child);
	child = vfork();
	if (child == 0) {
		execve(argv[0], again, env);
		_exit(1);
	}
	await(child);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "child") == 0) {
		say("executed");
		mark(MARK_TASK, 0, 0, 0, 0);
		return 5;
	}
	must(argc > 3, "usage: calls DIRECTORY ADDRESS PORT");
	must(chdir(argv[1]) == 0, argv[1]);
	address.sin_family = AF_INET;
	inet_pton(AF_INET, argv[2], &address.sin_addr);
	say("main");
	numbers();
	clocks();
	probes();
	files();
	mappings();
	sockets(atoi(argv[3]));
	mark(MARK_TASK, 0, 0, 0, 0);
	threads();
	children(argv);
	signals();
	interruptions();
	return 4;
}
