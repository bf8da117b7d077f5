/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sockets.c - the current task's sockets, as programs see them. */
#include "../object/fixture.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <skep/machine.h>

#include "btf/btf.h"
#include "machine/machine.h"
#include "bench.h"
#include "faults.h"

enum { ESTABLISHED = 1, CLOSE = 7, LISTEN = 10 };

struct seen {
	uint64_t sk, inode, file_inode, addrpair, bytes_received;
	uint32_t daddr, saddr, inet_saddr, net, uid, mark, portpair, cwnd, mss;
	int32_t rcvbuf, name_len;
	uint16_t family, type, protocol, dport, num, sport;
	uint8_t state, daddr6[16], saddr6[16], pinet6[16];
	char name[108];
};

static const enum skep_engine engines[] = { SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_JIT };

static struct bench bench_over(enum skep_engine engine, const struct skep_btf *kernel)
{
	struct skep_machine_opts opts = { .engine = engine, .cpus = 4 };
	struct skep_verify_opts verify = { .kernel_btf = kernel };
	struct bench b = { .object = fixture_open(FIXTURE("sockets")), .diag = skep_diag_new() };

	b.machine = skep_machine_new(&opts, b.diag);
	assert_non_null(b.machine);
	keep_fault_handler();
	if (skep_machine_load(b.machine, b.object, &verify, b.diag) < 0)
		fail_msg("%s", skep_diag_text(b.diag, 0));
	return b;
}

static struct bench bench_new(enum skep_engine engine)
{
	return bench_over(engine, NULL);
}

static int64_t run(struct bench *b, const char *name, struct seen *seen)
{
	struct skep_prog *prog = skep_machine_prog(b->machine, prog_named(b->object, name));
	uint64_t ctx[1] = { 0 }, retval;

	if (skep_prog_run(prog, ctx, sizeof(ctx), &retval, b->diag) < 0)
		fail_msg("%s", skep_diag_text(b->diag, 0));
	variable(b, "seen", seen, sizeof(*seen), false);
	return (int64_t)retval;
}

static void look_at(struct bench *b, int fd, struct seen *seen)
{
	variable(b, "fd", &fd, sizeof(fd), true);
	run(b, "look", seen);
}

/* --- pairs of sockets --- */

struct pair {
	int server, client, peer;
	struct sockaddr_storage at, from; /* the server's address, the client's */
};

static void address_of(int fd, struct sockaddr_storage *address)
{
	socklen_t size = sizeof(*address);

	assert_int_equal(getsockname(fd, (void *)address, &size), 0);
}

static struct pair pair_new(int family, const char *address)
{
	struct pair p = { .server = socket(family, SOCK_STREAM, 0),
			  .client = socket(family, SOCK_STREAM, 0) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool is_v6 = family == AF_INET6;
	socklen_t size = is_v6 ? sizeof(v6) : sizeof(v4);

	assert_int_equal(inet_pton(family, address, is_v6 ? (void *)&v6.sin6_addr : &v4.sin_addr), 1);
	assert_int_equal(bind(p.server, is_v6 ? (void *)&v6 : (void *)&v4, size), 0);
	assert_int_equal(listen(p.server, 1), 0);
	address_of(p.server, &p.at);
	assert_int_equal(connect(p.client, (void *)&p.at, size), 0);
	address_of(p.client, &p.from);
	p.peer = accept(p.server, NULL, NULL);
	assert_true(p.peer >= 0);
	return p;
}

static void pair_free(struct pair *p)
{
	close(p->peer);
	close(p->client);
	close(p->server);
}

static bool no_ipv6(void)
{
	struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool none = fd < 0 || bind(fd, (void *)&loopback, sizeof(loopback)) < 0;

	close(fd);
	return none;
}

/* --- what is seen --- */

static void sockets__of_tcp_have_both_ends(void **state)
{
	struct pair p = pair_new(AF_INET, "127.0.0.5");
	const struct sockaddr_in *at = (void *)&p.at, *from = (void *)&p.from;
	int size = 0;
	socklen_t length = sizeof(size);

	(void)state;
	assert_int_equal(write(p.client, "12345", 5), 5);
	getsockopt(p.client, SOL_SOCKET, SO_RCVBUF, &size, &length);
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(engines[e]);
		struct seen seen;
		uint64_t both;

		look_at(&b, p.client, &seen);
		assert_int_equal(seen.family, AF_INET);
		assert_int_equal(seen.type, SOCK_STREAM);
		assert_int_equal(seen.protocol, IPPROTO_TCP);
		assert_int_equal(seen.state, ESTABLISHED);
		assert_int_equal(seen.daddr, at->sin_addr.s_addr);
		assert_int_equal(seen.dport, at->sin_port);
		assert_int_equal(seen.saddr, from->sin_addr.s_addr);
		assert_int_equal(seen.inet_saddr, from->sin_addr.s_addr);
		assert_int_equal(seen.num, ntohs(from->sin_port));
		assert_int_equal(seen.sport, from->sin_port);
		both = seen.daddr | (uint64_t)seen.saddr << 32;
		assert_true(seen.addrpair == both);
		assert_int_equal(seen.portpair, seen.dport | (uint32_t)seen.num << 16);
		assert_int_equal(seen.rcvbuf, size);
		assert_int_equal(seen.uid, getuid());
		assert_true(seen.cwnd > 0 && seen.mss > 500);
		look_at(&b, p.peer, &seen);
		assert_int_equal(seen.num, ntohs(at->sin_port));
		assert_int_equal(seen.dport, from->sin_port);
		assert_int_equal(seen.bytes_received, 5);
		look_at(&b, p.server, &seen);
		assert_int_equal(seen.state, LISTEN);
		assert_int_equal(seen.num, ntohs(at->sin_port));
		assert_int_equal(seen.dport | seen.daddr, 0);
		bench_free(&b);
	}
	pair_free(&p);
}

static void sockets__of_ipv6_have_long_addresses(void **state)
{
	static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	struct seen seen;
	struct pair p;

	(void)state;
	if (no_ipv6()) {
		print_message("no IPv6 here\n");
		bench_free(&b);
		skip();
	}
	p = pair_new(AF_INET6, "::1");
	look_at(&b, p.client, &seen);
	assert_int_equal(seen.family, AF_INET6);
	assert_memory_equal(seen.daddr6, &loopback, 16);
	assert_memory_equal(seen.saddr6, &loopback, 16);
	assert_memory_equal(seen.pinet6, &loopback, 16);
	assert_int_equal(seen.dport, ((struct sockaddr_in6 *)&p.at)->sin6_port);
	assert_int_equal(seen.sport, ((struct sockaddr_in6 *)&p.from)->sin6_port);
	pair_free(&p);
	p = pair_new(AF_INET6, "::ffff:127.0.0.6");
	look_at(&b, p.client, &seen);
	assert_int_equal(seen.family, AF_INET6);
	assert_int_equal(seen.daddr, htonl(0x7f000006));
	assert_memory_equal(seen.daddr6 + 12, &seen.daddr, 4);
	assert_int_equal(seen.daddr6[11], 0xff);
	pair_free(&p);
	bench_free(&b);
}

static void sockets__of_datagrams_have_a_state(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct seen seen;

	(void)state;
	look_at(&b, fd, &seen);
	assert_int_equal(seen.state, CLOSE);
	assert_int_equal(seen.num | seen.dport | seen.saddr, 0);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
	look_at(&b, fd, &seen);
	assert_int_equal(seen.state, ESTABLISHED);
	assert_int_equal(seen.protocol, IPPROTO_UDP);
	assert_int_equal(seen.dport, htons(9));
	assert_int_equal(seen.daddr, to.sin_addr.s_addr);
	assert_true(seen.num != 0);
	close(fd);
	bench_free(&b);
}

/* getpeername() says nothing of it. */
static void sockets__know_whom_they_are_connecting_to(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000007) };
	int server = socket(AF_INET, SOCK_STREAM, 0), clients[3];
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	socklen_t size = sizeof(at);
	struct seen seen;

	(void)state;
	assert_int_equal(bind(server, (void *)&at, size), 0);
	assert_int_equal(listen(server, 0), 0);
	assert_int_equal(getsockname(server, (void *)&at, &size), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_int_equal(connect(clients[i], (void *)&at, size), -1);
	}
	assert_int_equal(getpeername(clients[2], (void *)&at, &size), -1);
	look_at(&b, clients[2], &seen);
	assert_int_equal(seen.state, 2);
	assert_int_equal(seen.daddr, at.sin_addr.s_addr);
	assert_int_equal(seen.dport, at.sin_port);
	for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	close(server);
	bench_free(&b);
}

static void sockets__of_unix_have_names(void **state)
{
	char dir[] = "/tmp/skep-sockets-XXXXXX";
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int fds[2], fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct seen seen;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/name", dir);
	look_at(&b, fd, &seen);
	assert_int_equal(seen.family, AF_UNIX);
	assert_int_equal(seen.state, CLOSE);
	assert_int_equal(seen.name_len, 0);
	assert_int_equal(bind(fd, (void *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 1), 0);
	look_at(&b, fd, &seen);
	assert_int_equal(seen.state, LISTEN);
	assert_string_equal(seen.name, name.sun_path);
	assert_int_equal(seen.name_len, 2 + strlen(name.sun_path) + 1);
	unlink(name.sun_path);
	rmdir(dir);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	look_at(&b, fds[1], &seen);
	assert_int_equal(seen.type, SOCK_SEQPACKET);
	assert_int_equal(seen.state, ESTABLISHED);
	close(fds[0]);
	close(fds[1]);
	bench_free(&b);
}

static void sockets__are_files_of_a_namespace(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), pipes[2];
	struct stat st, net;
	struct seen seen;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(stat("/proc/self/ns/net", &net), 0);
	look_at(&b, fd, &seen);
	assert_int_equal(seen.family, AF_NETLINK);
	assert_int_equal(seen.inode, st.st_ino);
	assert_int_equal(seen.file_inode, st.st_ino);
	assert_int_equal(seen.net, net.st_ino);
	close(fd);
	look_at(&b, fd, &seen);
	assert_true(seen.sk == 0 && seen.family == 0);
	assert_int_equal(pipe(pipes), 0);
	look_at(&b, pipes[0], &seen);
	assert_true(seen.sk == 0 && seen.family == 0);
	close(pipes[0]);
	close(pipes[1]);
	bench_free(&b);
}

/* Even when the thread ran on another virtual CPU in between, which others took since. */
static void *elsewhere(void *arg)
{
	struct pair p = pair_new(AF_INET, "127.0.0.8");
	struct seen seen;

	look_at(arg, p.client, &seen);
	pair_free(&p);
	return NULL;
}

static void sockets__keep_their_address_for_a_thread(void **state)
{
	struct pair p = pair_new(AF_INET, "127.0.0.1");
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	struct seen first, then;
	pthread_t thread;
	uint64_t kept;

	(void)state;
	look_at(&b, p.client, &first);
	variable(&b, "kept", &kept, sizeof(kept), false);
	assert_int_equal(pthread_create(&thread, NULL, elsewhere, &b), 0);
	pthread_join(thread, NULL);
	variable(&b, "kept", &kept, sizeof(kept), false);
	assert_true(kept != first.sk);
	kept = first.sk;
	variable(&b, "kept", &kept, sizeof(kept), true);
	run(&b, "look_again", &then);
	assert_int_equal(then.num, first.num);
	look_at(&b, p.client, &then);
	assert_true(then.sk == first.sk);
	pair_free(&p);
	bench_free(&b);
}

static void sockets__of_high_descriptors_are_seen(void **state)
{
	struct pair p = pair_new(AF_INET, "127.0.0.1");
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	static const int numbers[] = { 511, 512, 1023, 1024, 3999 };
	struct rlimit limit;
	struct seen low, high;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	look_at(&b, p.client, &low);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if ((rlim_t)numbers[i] >= limit.rlim_cur)
			break;
		assert_int_equal(dup2(p.client, numbers[i]), numbers[i]);
		look_at(&b, numbers[i], &high);
		assert_true(high.sk != 0 && high.inode == low.inode && high.num == low.num);
		close(numbers[i]);
		look_at(&b, numbers[i], &high);
		assert_true(high.sk == 0);
	}
	pair_free(&p);
	bench_free(&b);
}

/* The first look of a process whose addresses are limited: there are fewer descriptors then. */
static void sockets__are_seen_where_addresses_are_limited(void **state)
{
	struct pair p = pair_new(AF_INET, "127.0.0.1");
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	unsigned long used = 0;
	struct rlimit limit;
	struct seen seen;
	pid_t child;
	int status;
	FILE *statm;

	(void)state;
	child = fork();
	if (child == 0) {
		statm = fopen("/proc/self/statm", "r");
		if (!statm || fscanf(statm, "%lu", &used) != 1)
			_exit(2);
		limit.rlim_cur = limit.rlim_max = (used << 12) + (1ul << 30);
		setrlimit(RLIMIT_AS, &limit);
		look_at(&b, p.client, &seen);
		_exit(seen.family != AF_INET);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pair_free(&p);
	bench_free(&b);
}

/* --- what is not there --- */

static void sockets__of_a_kind_without_record_have_what_all_have(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("sockets"));
	struct bench b = bench_over(SKEP_ENGINE_AUTO, kernel);
	struct seen seen;

	(void)state;
	assert_int_equal(run(&b, "exists", &seen), 1 | 4);
	bench_free(&b);
	skep_btf_unref(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets__are_seen_where_addresses_are_limited), /* before any look */
		cmocka_unit_test(sockets__of_tcp_have_both_ends),
		cmocka_unit_test(sockets__of_ipv6_have_long_addresses),
		cmocka_unit_test(sockets__of_datagrams_have_a_state),
		cmocka_unit_test(sockets__know_whom_they_are_connecting_to),
		cmocka_unit_test(sockets__of_unix_have_names),
		cmocka_unit_test(sockets__are_files_of_a_namespace),
		cmocka_unit_test(sockets__of_high_descriptors_are_seen),
		cmocka_unit_test(sockets__keep_their_address_for_a_thread),
		cmocka_unit_test(sockets__of_a_kind_without_record_have_what_all_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
