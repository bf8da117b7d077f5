/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filters_socket.c - filters on sockets: a pair of Unix datagram sockets, whose packets have
 * nothing but bytes, and packet sockets on the loopback device of a network namespace of
 * our own, whose packets have headers and metadata.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "filters.h"
#include "kernel.h"

enum { SIZE = 120, PACKETS = 4 };

static int attach(int fd, const struct filter *filter)
{
	struct sock_fprog prog = { (unsigned short)filter->count,
				   (struct sock_filter *)(uintptr_t)filter->insns };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

/* By both engines; they must agree before the kernel is asked. */
static bool results(struct tally *tally, const struct filter *filter, struct skep_filter *native,
		    const struct skep_cbpf_packet *packet, uint32_t *want)
{
	uint32_t got = skep_filter_run(native, packet);

	*want = skep_cbpf_run(filter->insns, filter->count, packet);
	tally->runs++;
	tally->dropped += *want == 0;
	if (got == *want)
		return true;
	report_difference(tally, filter, "interpreted %u, native %u", *want, got);
	return false;
}

static struct skep_filter *open_both(struct tally *tally, const struct filter *filter, int fd)
{
	struct skep_filter *native =
		skep_filter_open(filter->insns, filter->count, SKEP_CBPF_SOCKET, 0, "random", NULL);
	int error = attach(fd, filter);

	tally->filters++;
	if (!native || error < 0)
		report_difference(tally, filter, "%s here, %s in Linux", native ? "accepted" : "refused",
				  error < 0 ? strerror(-error) : "accepted");
	if (native && error == 0)
		return native;
	skep_filter_free(native);
	return NULL;
}

/* Both run on this processor, whose number filters may load. */
static uint32_t stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	return (uint32_t)cpu;
}

static uint32_t bit(enum cbpf_ancillary ancillary)
{
	return 1u << ancillary / 4;
}

/* --- bytes only --- */

static void unix_packet(struct tally *tally, const struct filter *filter, struct skep_filter *native,
			struct random *random, int pair[2], uint32_t cpu)
{
	uint8_t bytes[SIZE], back[SIZE];
	uint32_t size = random_below(random, 6) ? SIZE : 1 + random_below(random, SIZE), want;
	struct skep_cbpf_packet packet = { .data = bytes, .size = size, .cpu = cpu };
	ssize_t got;

	packet_make(bytes, size, random);
	if (!results(tally, filter, native, &packet, &want))
		return;
	if (send(pair[0], bytes, size, 0) != (ssize_t)size)
		return report_difference(tally, filter, "could not send: %s", strerror(errno));
	got = recv(pair[1], back, sizeof(back), MSG_DONTWAIT);
	got = got < 0 && errno == EAGAIN ? 0 : got;
	if (got != (ssize_t)MIN(want, size) || memcmp(back, bytes, (size_t)got) != 0)
		report_difference(tally, filter, "%u of %u bytes here, %zd in Linux", want, size, got);
}

struct tally compare_unix_sockets(struct random *random, unsigned long count)
{
	struct tally tally = { .name = "unix sockets" };
	uint32_t all = 0xffff & ~bit(CBPF_AD_RANDOM), cpu = stay_here();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) {
		tally.skipped = "there are no Unix sockets here";
		return tally;
	}
	for (unsigned long i = 0; i < count; i++) {
		struct filter filter;
		struct skep_filter *native;

		filter_make(&filter, random, SKEP_CBPF_SOCKET, SIZE, all);
		native = open_both(&tally, &filter, pair[1]);
		for (int j = 0; native && j < PACKETS; j++)
			unix_packet(&tally, &filter, native, random, pair, cpu);
		skep_filter_free(native);
	}
	close(pair[0]);
	close(pair[1]);
	return tally;
}

/* --- with headers and metadata --- */

struct wire {
	int out, filtered, witness; /* the witness gets each packet after the filtered socket */
	uint32_t cpu, ifindex;
};

enum { MARK = 0x1234567 };

static int packet_socket(uint32_t ifindex)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(3 /* ETH_P_ALL */),
				       .sll_ifindex = (int)ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* NULL, or why there is none. */
static const char *wire_open(struct wire *wire)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	int control, mark = MARK;

	if (unshare(CLONE_NEWNET) < 0)
		return "may not make a network namespace: run as root";
	control = socket(AF_INET, SOCK_DGRAM, 0);
	if (control < 0 || ioctl(control, SIOCSIFFLAGS, &request) < 0)
		return "there is no loopback device";
	close(control);
	wire->ifindex = if_nametoindex("lo");
	address.sll_ifindex = (int)wire->ifindex;
	/* Linux gives a packet to the socket bound last first. */
	wire->witness = packet_socket(wire->ifindex);
	wire->filtered = packet_socket(wire->ifindex);
	wire->out = socket(AF_PACKET, SOCK_RAW, 0);
	if (wire->witness < 0 || wire->filtered < 0 || wire->out < 0 ||
	    bind(wire->out, (struct sockaddr *)&address, sizeof(address)) < 0)
		return "there are no packet sockets";
	setsockopt(wire->out, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	wire->cpu = stay_here();
	return NULL;
}

/* A frame with headers of many kinds; never one that loopback's own host answers. */
static void frame_make(uint8_t *frame, uint32_t size, struct random *random)
{
	static const uint16_t types[] = { 0x0800, 0x0800, 0x86dd, 0x86dd, 0x8100, 0x88a8, 0x8864, 0x0806,
					  0x8847, 0x88f7, 0x22f0, 0x0004, 0x05dc, 0x4305, 0x88ca, 0x88fb,
					  0x892f, 0x8906, 0x8035, 0x8848 };
	static const uint8_t protocols[] = { 6, 17, 1, 58, 132, 33, 136, 2, 4, 41, 47, 44, 0, 43, 60, 50, 99 };
	uint16_t type = types[random_below(random, ARRAY_SIZE(types))];
	uint32_t at = 12;

	packet_make(frame, size, random);
	frame[0] = (uint8_t)(random_below(random, 3) ? frame[0] : 0xff);
	if (random_below(random, 4) == 0)
		memset(frame, random_below(random, 2) ? 0xff : 0, 6);
	for (int i = 0; i < 3; i++) {
		frame[at] = (uint8_t)(type >> 8);
		frame[at + 1] = (uint8_t)type;
		at += 2;
		if (type != 0x8100 && type != 0x88a8)
			break;
		type = types[random_below(random, ARRAY_SIZE(types))];
		at += 2;
	}
	if (type == 0x8864) {
		frame[at] = 0x11;
		frame[at + 1] = 0;
		frame[at + 6] = 0;
		frame[at + 7] = random_below(random, 2) ? 0x21 : 0x57;
		type = frame[at + 7] == 0x21 ? 0x0800 : 0x86dd;
		at += 8;
	}
	if (type == 0x4305 && random_below(random, 4)) {
		memcpy(frame + at, (const uint8_t[]){ 0x40, 15 }, 2);
		memcpy(frame + at + 22, (const uint8_t[]){ 8, 0 }, 2);
		at += 24;
		type = 0x0800;
	}
	if (type == 0x88fb || type == 0x892f) {
		memcpy(frame + at + 4, (const uint8_t[]){ 8, 0 }, 2);
		at += 6;
		type = 0x0800;
	}
	if (type == 0x0800) {
		frame[at] = (uint8_t)(0x45 + random_below(random, 2));
		frame[at + 6] = (uint8_t)(random_below(random, 4) ? 0 : 0x20);
		frame[at + 7] = (uint8_t)(random_below(random, 4) ? 0 : 1);
		frame[at + 9] = protocols[random_below(random, sizeof(protocols))];
	} else if (type == 0x86dd) {
		frame[at] = 0x60;
		frame[at + 6] = protocols[random_below(random, sizeof(protocols))];
		frame[at + 40] = protocols[random_below(random, sizeof(protocols))];
		frame[at + 41] = (uint8_t)random_below(random, 3);
	}
}

/* What follows a link header, when its type is really a length. */
static uint16_t ether_type(const uint8_t *type, uint32_t left)
{
	uint16_t value = (uint16_t)(type[0] << 8 | type[1]);

	if (value >= 0x600)
		return value;
	return left >= 4 && type[2] == 0xff && type[3] == 0xff ? 1 : 4;
}

/* The frame as a filter sees it: an outer VLAN tag is taken off and kept beside. */
static struct skep_cbpf_packet frame_seen(uint8_t *frame, uint32_t size, const struct wire *wire)
{
	static const uint8_t ours[6]; /* loopback's address, and what it broadcasts to */
	struct skep_cbpf_packet packet = {
		.size = size, .network = 14, .has_link = true, .has_device = true,
		.ifindex = wire->ifindex, .hatype = 772, .cpu = wire->cpu, .mark = MARK,
		.protocol = ether_type(frame + 12, size - 12),
	};

	packet.type = memcmp(frame, ours, 6) == 0 ? 0 : frame[0] & 1 ? 2 : 3;
	packet.data = frame;
	if (packet.protocol == 0x8100 || packet.protocol == 0x88a8) {
		packet.vlan_present = true;
		packet.vlan_tpid = packet.protocol;
		packet.vlan_tci = (uint16_t)(frame[14] << 8 | frame[15]);
		packet.protocol = ether_type(frame + 16, size - 16);
		memmove(frame + 4, frame, 12);
		packet.data = frame + 4;
		packet.size -= 4;
	}
	return packet;
}

static const char *hexadecimal(const uint8_t *bytes, uint32_t size)
{
	static char text[2 * SIZE + 1];

	for (uint32_t i = 0; i < size && i < SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

static void wire_packet(struct tally *tally, const struct filter *filter, struct skep_filter *native,
			struct random *random, const struct wire *wire)
{
	uint8_t frame[SIZE], back[SIZE + 64];
	struct pollfd wait = { .fd = wire->witness, .events = POLLIN };
	struct skep_cbpf_packet packet;
	uint32_t size = random_below(random, 4) ? SIZE : 24 + random_below(random, SIZE - 24), want;
	ssize_t got;

	frame_make(frame, SIZE, random);
	if (send(wire->out, frame, size, 0) != (ssize_t)size)
		return report_difference(tally, filter, "could not send: %s", strerror(errno));
	packet = frame_seen(frame, size, wire);
	if (poll(&wait, 1, 2000) != 1 ||
	    recv(wire->witness, back, sizeof(back), MSG_DONTWAIT) != (ssize_t)packet.size ||
	    memcmp(back, packet.data, packet.size) != 0)
		return report_difference(tally, filter, "the packet did not arrive as expected");
	if (!results(tally, filter, native, &packet, &want))
		return;
	got = recv(wire->filtered, back, sizeof(back), MSG_DONTWAIT);
	got = got < 0 && errno == EAGAIN ? 0 : got;
	if (got != (ssize_t)MIN(want, packet.size))
		report_difference(tally, filter, "%u of %u bytes here, %zd in Linux: %s", want,
				  packet.size, got, hexadecimal(packet.data, packet.size));
}

/* Where Linux finds the payload, behind headers of many kinds: too rare a load at random. */
static void payload_filter(struct filter *filter)
{
	filter->count = 3;
	filter->insns[0] = (struct skep_cbpf_insn){ 0x20, 0, 0, CBPF_ANCILLARY + CBPF_AD_PAY_OFFSET };
	filter->insns[1] = (struct skep_cbpf_insn){ 0x04, 0, 0, 1 };
	filter->insns[2] = (struct skep_cbpf_insn){ 0x16, 0, 0, 0 };
}

static struct tally packet_sockets(struct random *random, unsigned long count)
{
	struct tally tally = { .name = "packet sockets" };
	uint32_t all = 0xffff & ~bit(CBPF_AD_RANDOM);
	struct wire wire = { -1, -1, -1, 0, 0 };

	tally.skipped = wire_open(&wire);
	for (unsigned long i = 0; i < count && !tally.skipped; i++) {
		struct filter filter;
		struct skep_filter *native;

		filter_make(&filter, random, SKEP_CBPF_SOCKET, SIZE, all);
		if (i % 8 == 0)
			payload_filter(&filter);
		native = open_both(&tally, &filter, wire.filtered);
		for (int j = 0; native && j < PACKETS; j++)
			wire_packet(&tally, &filter, native, random, &wire);
		skep_filter_free(native);
	}
	return tally;
}

/* In a child: the namespace is its own. Its strings are ours too. */
struct tally compare_packet_sockets(struct random *random, unsigned long count)
{
	struct tally tally = { .name = "packet sockets" };
	int ends[2];
	pid_t child;

	fflush(stdout);
	if (pipe(ends) < 0 || (child = fork()) < 0) {
		tally.skipped = "could not fork";
		return tally;
	}
	if (child == 0) {
		tally = packet_sockets(random, count);
		fflush(stdout);
		_exit(write(ends[1], &tally, sizeof(tally)) != sizeof(tally));
	}
	close(ends[1]);
	if (read(ends[0], &tally, sizeof(tally)) != sizeof(tally))
		tally.differences++; /* it died */
	close(ends[0]);
	waitpid(child, NULL, 0);
	return tally;
}

/* --- accepted or not --- */

struct tally compare_socket_mutants(struct random *random, unsigned long count)
{
	struct tally tally = { .name = "socket mutants" };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) {
		tally.skipped = "there are no Unix sockets here";
		return tally;
	}
	for (unsigned long i = 0; i < count; i++) {
		struct filter filter;
		int here, there;

		filter_make(&filter, random, SKEP_CBPF_SOCKET, SIZE, 0xffff);
		filter_mutate(&filter, random, SKEP_CBPF_SOCKET);
		here = skep_cbpf_check(filter.insns, filter.count, SKEP_CBPF_SOCKET, "mutant", NULL);
		there = attach(pair[1], &filter);
		tally.filters++;
		tally.accepted += there == 0;
		if (here != there)
			report_difference(&tally, &filter, "%s here, %s in Linux", strerror(-here),
					  strerror(-there));
	}
	close(pair[0]);
	close(pair[1]);
	return tally;
}

/* A jump over as many instructions of one kind as Linux still takes, and over one more. */
static void compare_reach_of(struct tally *tally, int fd, struct skep_cbpf_insn insn)
{
	static struct skep_cbpf_insn insns[4096];
	struct sock_fprog prog = { 4096, (struct sock_filter *)(void *)insns };
	const struct filter shown = { .insns = { insn }, .count = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(insns); i++)
		insns[i] = insn;
	insns[4095] = (struct skep_cbpf_insn){ 0x06, 0, 0, 0 };
	for (uint32_t low = 0, high = 4095; low < high;) {
		uint32_t k = (low + high) / 2;
		int here, there;

		insns[0] = (struct skep_cbpf_insn){ 0x05, 0, 0, k };
		here = skep_cbpf_check(insns, 4096, SKEP_CBPF_SOCKET, "reach", NULL);
		there = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
		/* Good, but larger than net.core.optmem_max: that is looked at last. */
		there = there == -ENOMEM ? 0 : there;
		tally->filters++;
		tally->accepted += there == 0;
		if (here != there)
			report_difference(tally, &shown, "ja over %u: %s here, %s in Linux", k,
					  strerror(-here), strerror(-there));
		if (there == 0)
			low = k + 1;
		else
			high = k;
	}
}

struct tally compare_reach(void)
{
	static const struct skep_cbpf_insn insns[] = {
		{ 0x20, 0, 0, 0x8000 }, { 0x28, 0, 0, 0x7fff }, { 0x30, 0, 0, 0x8000 }, { 0x30, 0, 0, 1 },
		{ 0x20, 0, 0, 0 }, { 0x40, 0, 0, 0 }, { 0x40, 0, 0, 1 }, { 0x20, 0, 0, CBPF_NETWORK },
		{ 0xb1, 0, 0, 0 }, { 0xb1, 0, 0, 14 }, { 0xb1, 0, 0, 0x8000 }, { 0xb1, 0, 0, CBPF_LINK },
		{ 0x81, 0, 0, 0 }, { 0x3c, 0, 0, 0 }, { 0x20, 0, 0, CBPF_ANCILLARY + CBPF_AD_IFINDEX },
	};
	struct tally tally = { .name = "reach of jumps" };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	for (size_t i = 0; i < ARRAY_SIZE(insns); i++)
		compare_reach_of(&tally, fd, insns[i]);
	close(fd);
	tally.accepted = 0; /* its share means nothing */
	return tally;
}

/* --- converted to eBPF, in the kernel's own hands --- */

static int load(uint32_t type, const struct skep_insn *insns, size_t count)
{
	struct kernel_load attr = { .prog_type = type, .insn_cnt = (uint32_t)count,
				    .insns = (uintptr_t)insns, .license = (uintptr_t)"MIT" };
	long fd = syscall(SYS_bpf, KERNEL_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

static void converted_packets(struct tally *tally, const struct filter *filter, int prog,
			      struct random *random, int pair[2], uint32_t cpu)
{
	struct skep_filter *native =
		skep_filter_open(filter->insns, filter->count, SKEP_CBPF_SOCKET, 0, "random", NULL);

	if (!native || setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)) < 0)
		report_difference(tally, filter, "not attached: %s", strerror(errno));
	for (int i = 0; native && i < PACKETS; i++)
		unix_packet(tally, filter, native, random, pair, cpu);
	skep_filter_free(native);
}

static void compare_converted(struct tally *tally, const struct filter *filter,
			      struct random *random, int pair[2], uint32_t cpu)
{
	static const struct { enum skep_cbpf_target target; uint32_t type; const char *name; } kinds[] = {
		{ SKEP_CBPF_TO_SOCKET_FILTER, 1, "socket_filter" }, { SKEP_CBPF_TO_TC, 3, "sched_cls" },
		{ SKEP_CBPF_TO_XDP, 6, "xdp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct skep_insn *insns = NULL;
		size_t count;
		int prog;

		if (skep_cbpf_to_ebpf(filter->insns, filter->count, kinds[i].target, "random", &insns,
				      &count, NULL) < 0)
			continue;
		prog = load(kinds[i].type, insns, count);
		tally->filters++;
		if (prog < 0)
			report_difference(tally, filter, "as %s: %s", kinds[i].name, strerror(-prog));
		else if (i == 0)
			converted_packets(tally, filter, prog, random, pair, cpu);
		if (prog >= 0)
			close(prog);
		free(insns);
	}
}

struct tally compare_ebpf(struct random *random, unsigned long count)
{
	static const struct skep_insn nothing[] = { { .code = 0xb7 }, { .code = 0x95 } };
	struct tally tally = { .name = "eBPF" };
	uint32_t all = 0xffff & ~bit(CBPF_AD_RANDOM), cpu = stay_here();
	int pair[2], prog = load(1, nothing, 2);

	if (prog < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) {
		tally.skipped = "may not load programs: run as root";
		return tally;
	}
	close(prog);
	for (unsigned long i = 0; i < count; i++) {
		struct filter filter;

		filter_make(&filter, random, SKEP_CBPF_SOCKET, SIZE, i % 4 ? 0 : all);
		compare_converted(&tally, &filter, random, pair, cpu);
	}
	close(pair[0]);
	close(pair[1]);
	return tally;
}
