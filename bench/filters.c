/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filters.c - packet filters: instructions per packet as libpcap writes them, as its own optimiser
 * leaves them, and as ours does; and what a packet costs. filters [CAPTURE]
 *
 * All in one run, over the same packets: a mix of traffic that is made here, or a capture's.
 *
 *   libpcap    pcap_offline_filter(), once for each packet: its interpreter
 *   kernel     the running kernel's machine code for the filter as it converts it (LD_ABS), by
 *              BPF_PROG_TEST_RUN, repeated; less what a program of one return takes there
 *   one        skep_filter_run(), once for each packet
 *   row        skep_filter_run_many()
 *
 * The first columns' packets are few enough for the nearest cache, so that the filter is measured and not
 * the memory, whose bytes take longer to come than most filters. The last two are a row of all of
 * them, from memory, and how many times as long libpcap takes for these.
 */
#define bpf_insn linux_bpf_insn /* libpcap has another */
#include <linux/bpf.h>
#undef bpf_insn
#include <pcap/pcap.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

enum { PACKETS_MAX = 200000, NEAR = 150, SNAP = 96, PASSES = 7, KERNEL_SAMPLE = 32, KERNEL_REPEAT = 20000 };

static const char *const expressions[] = {
	"ip",
	"tcp port 443 and not host 10.0.0.1",
	"udp port 53",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"src net 10.0.0.0/8 and dst portrange 1-1023",
	"host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3 or host 10.0.0.4",
	"port 22 or port 25 or port 53 or port 80 or port 110 or port 143 or port 443 or port 993 or port 995",
	"ip6 and (tcp or udp) and port 443",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
	"vlan and ip and tcp port 80",
	"not (arp or icmp or port 53 or broadcast)",
	"(tcp or udp) and not net 192.168.0.0/16 and not net 172.16.0.0/12 and greater 100",
	"icmp[icmptype] == icmp-echo or icmp[icmptype] == icmp-echoreply",
};

static struct skep_cbpf_packet packets[PACKETS_MAX];
static struct pcap_pkthdr heads[PACKETS_MAX];
static uint32_t results[PACKETS_MAX];
static size_t packet_count;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- packets --- */

/* Their first bytes, one behind the other in memory, as a capture has them. */
static void take_packet(const uint8_t *data, uint32_t size, uint32_t len)
{
	static uint8_t memory[PACKETS_MAX * SNAP], *at = memory;

	size = MIN(size, SNAP);
	heads[packet_count] = (struct pcap_pkthdr){ .caplen = size, .len = len };
	packets[packet_count].data = memcpy(at, data, size);
	at += size;
	packets[packet_count].size = size;
	packets[packet_count++].len = len;
}

static uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % limit;
}

static uint8_t *put(uint8_t *at, uint32_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		*at++ = (uint8_t)(value >> 8 * (width - 1 - i));
	return at;
}

/* Local hosts and others, as they come: 10.0.0.x, 192.168.1.x, anything. */
static uint32_t some_address(void)
{
	uint32_t kind = random_below(8);

	return kind < 4 ? 0x0a000000 + random_below(200) : kind < 6 ? 0xc0a80100 + random_below(250) :
			  0x2d000000 + random_below(0x80000000);
}

static uint16_t some_port(void)
{
	static const uint16_t known[] = { 443, 443, 443, 443, 80, 53, 22, 993 };

	return random_below(2) ? known[random_below(ARRAY_SIZE(known))] : (uint16_t)(32768 + random_below(28000));
}

/* Of ten packets: six of TCP, two of UDP, ARP, ICMP; one in six by IPv6, one in thirty in a VLAN. */
static void make_packet(void)
{
	uint8_t data[1514] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 }, *at = data + 12;
	uint32_t kind = random_below(10), size = random_below(3) ? 60 + random_below(200) : 1514;
	uint8_t protocol = kind < 6 ? 6 : kind < 8 ? 17 : 1;

	if (random_below(30) == 0)
		at = put(put(at, 0x8100, 2), 5, 2);
	if (kind == 9) {
		at = put(put(put(at, 0x0806, 2), 0x00010800, 4), 0x06040001, 4);
		at = put(put(put(at, 0x02000000, 4), 1, 2), some_address(), 4);
		put(put(put(at, 0, 4), 0, 2), some_address(), 4);
		take_packet(data, 60, 60);
		return;
	}
	if (random_below(6) == 0) {
		at = put(put(put(at, 0x86dd, 2), 0x60000000, 4), size, 2);
		*at++ = protocol;
		*at++ = 64;
		for (unsigned i = 0; i < 8; i++)
			at = put(at, i % 4 ? random_below(16) : 0x20010db8, 4);
	} else {
		at = put(put(put(at, 0x0800, 2), 0x4500, 2), size, 2);
		at = put(put(at, 1, 2), random_below(20) ? 0x4000 : 0x2000 + random_below(2), 2);
		at = put(put(at, 64u << 8 | protocol, 2), 0, 2);
		at = put(put(at, some_address(), 4), some_address(), 4);
	}
	at = put(put(at, some_port(), 2), some_port(), 2);
	put(put(put(at, 1, 4), 2, 4), 0x5010 + (random_below(8) == 0) * 2u, 2);
	take_packet(data, MAX(size, 86), MAX(size, 86));
}

/* The capture's packets, again and again. */
static bool read_packets(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *head;
	const uint8_t *data;
	size_t once;

	if (!pcap) {
		fprintf(stderr, "filters: %s\n", why);
		return false;
	}
	while (packet_count < PACKETS_MAX && pcap_next_ex(pcap, &head, &data) == 1)
		take_packet(data, head->caplen, head->len);
	pcap_close(pcap);
	once = packet_count;
	while (once && packet_count < PACKETS_MAX)
		take_packet(packets[packet_count - once].data, heads[packet_count - once].caplen,
			    heads[packet_count - once].len);
	return once > 0;
}

static struct skep_cbpf_insn *copy(const struct bpf_program *program)
{
	struct skep_cbpf_insn *insns = calloc(program->bf_len, sizeof(*insns));

	for (size_t i = 0; i < program->bf_len; i++)
		insns[i] = (struct skep_cbpf_insn){ program->bf_insns[i].code, program->bf_insns[i].jt,
						    program->bf_insns[i].jf, program->bf_insns[i].k };
	return insns;
}

/* Instructions one packet takes. A jump's outcome is what returns in place of its targets give. */
static uint32_t steps_of(const struct skep_cbpf_insn *insns, size_t count,
			 const struct skep_cbpf_packet *packet)
{
	struct skep_cbpf_insn cut[SKEP_CBPF_MAX];
	uint32_t steps = 0;
	size_t pc = 0;

	memcpy(cut, insns, count * sizeof(*cut));
	while (pc < count) {
		const struct cbpf_row *row = cbpf_row(insns[pc].code);

		steps++;
		if (row->kind == CBPF_RETURN)
			break;
		if (row->kind == CBPF_GOTO) {
			pc = cbpf_goto_target(&insns[pc], pc);
		} else if (row->kind == CBPF_JUMP) {
			size_t yes = cbpf_true_target(&insns[pc], pc), no = cbpf_false_target(&insns[pc], pc);
			struct skep_cbpf_insn was[2] = { cut[yes], cut[no] };
			uint32_t is;

			cut[yes] = (struct skep_cbpf_insn){ .code = 0x06, .k = 0x7e57 };
			if (no != yes)
				cut[no] = (struct skep_cbpf_insn){ .code = 0x06, .k = 0xfa15e };
			is = skep_cbpf_run(cut, count, packet);
			cut[no] = was[1];
			cut[yes] = was[0];
			if (is != 0x7e57 && is != 0xfa15e)
				break; /* a load before it ended the filter */
			pc = is == 0x7e57 ? yes : no;
		} else {
			pc++;
		}
	}
	return steps;
}

static double mean_steps(const struct skep_cbpf_insn *insns, size_t count)
{
	size_t sample = MIN(packet_count, 1500);
	uint64_t all = 0;

	for (size_t i = 0; i < sample; i++)
		all += steps_of(insns, count, &packets[i]);
	return (double)all / (double)sample;
}

/* --- what a packet costs: the fastest of some passes, in nanoseconds --- */

struct subject {
	const struct bpf_program *program;
	const struct skep_filter *filter;
	size_t passed;
};

typedef size_t pass_fn(const struct subject *subject, size_t count);

static size_t pass_libpcap(const struct subject *subject, size_t count)
{
	size_t passed = 0;

	for (size_t i = 0; i < count; i++)
		passed += pcap_offline_filter(subject->program, &heads[i], packets[i].data) != 0;
	return passed;
}

static size_t pass_one(const struct subject *subject, size_t count)
{
	size_t passed = 0;

	for (size_t i = 0; i < count; i++)
		passed += skep_filter_run(subject->filter, &packets[i]) != 0;
	return passed;
}

static size_t pass_row(const struct subject *subject, size_t count)
{
	return skep_filter_run_many(subject->filter, packets, count, results);
}

static double cost(struct subject *subject, pass_fn *pass, size_t count)
{
	size_t rounds = PACKETS_MAX / count;
	double best = 1e9;

	subject->passed = pass(subject, count); /* warm */
	for (int i = 0; i < PASSES; i++) {
		double began = seconds();

		for (size_t round = 0; round < rounds; round++)
			pass(subject, count);
		best = MIN(best, seconds() - began);
	}
	return best / (double)(rounds * count) * 1e9;
}

/* --- the running kernel --- */

static int load(const struct skep_insn *insns, size_t count)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS, .insns = (uintptr_t)insns,
				.insn_cnt = (uint32_t)count, .license = (uintptr_t)"GPL" };

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* All of a run, of which the packet's part is what another program does not take. */
static double kernel_run(int program, const struct skep_cbpf_packet *packet)
{
	union bpf_attr attr = { 0 };
	double best = 1e9;

	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)packet->data;
	attr.test.data_size_in = packet->size;
	attr.test.repeat = KERNEL_REPEAT;
	for (int i = 0; i < 3; i++) {
		double began = seconds();

		if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0)
			return -1;
		best = MIN(best, seconds() - began);
	}
	return best / KERNEL_REPEAT * 1e9;
}

/* -1: not allowed, or it does not take the filter. */
static double cost_kernel(const struct skep_cbpf_insn *insns, size_t count)
{
	static const struct skep_insn nothing[] = { { .code = 0xb7 }, { .code = 0x95 } };
	struct skep_insn *ebpf;
	size_t ebpf_count;
	int program, empty;
	double all = 0;

	if (skep_cbpf_to_ebpf(insns, count, SKEP_CBPF_TO_SOCKET_FILTER, "filter", &ebpf, &ebpf_count, NULL) < 0)
		return -1;
	program = load(ebpf, ebpf_count);
	empty = load(nothing, ARRAY_SIZE(nothing));
	for (size_t i = 0; i < KERNEL_SAMPLE && program >= 0 && empty >= 0; i++)
		all += kernel_run(program, &packets[i]) - kernel_run(empty, &packets[i]);
	free(ebpf);
	if (program < 0 || empty < 0)
		return -1;
	close(program);
	close(empty);
	return MAX(all / KERNEL_SAMPLE, 0);
}

/* --- all of it --- */

struct bench { unsigned done, eight, kernel_done, kernel_as_fast; };

static void print_costs(struct bench *bench, double theirs, double kernel, double one, double row, double far)
{
	char of_kernel[16] = "-";

	if (kernel >= 0)
		snprintf(of_kernel, sizeof(of_kernel), "%.1f", kernel);
	printf("  %7.1f %7s %6.1f %6.1f %5.1fx %5.1f", theirs, of_kernel, one, row, theirs / row, far);
	bench->done++;
	bench->eight += theirs >= 8 * row;
	bench->kernel_done += kernel >= 0;
	bench->kernel_as_fast += kernel >= row;
}

static bool measure(pcap_t *pcap, const char *expression, struct bench *bench)
{
	struct bpf_program plain, program;
	struct skep_cbpf_insn *raw, *libpcap, *ours;
	struct skep_diag *diag = skep_diag_new();
	struct subject theirs, mine;
	size_t count;
	double costs[4];

	if (pcap_compile(pcap, &plain, expression, 0, 0) || pcap_compile(pcap, &program, expression, 1, 0)) {
		fprintf(stderr, "filters: %s: %s\n", expression, pcap_geterr(pcap));
		return false;
	}
	raw = copy(&plain);
	libpcap = copy(&program);
	if (skep_cbpf_optimise(libpcap, program.bf_len, SKEP_CBPF_SOCKET, expression, &ours, &count, diag) < 0)
		return false;
	theirs = (struct subject){ .program = &program };
	mine = (struct subject){ .filter = skep_filter_open(ours, count, SKEP_CBPF_SOCKET, SKEP_FILTER_COMPILE,
							    expression, diag) };
	if (!mine.filter) {
		fprintf(stderr, "filters: %s: %s\n", expression, skep_diag_text(diag, 0));
		return false;
	}
	printf("%4u %4u %4zu  %5.1f %5.1f %5.1f", plain.bf_len, program.bf_len, count,
	       mean_steps(raw, plain.bf_len), mean_steps(libpcap, program.bf_len), mean_steps(ours, count));
	costs[0] = cost(&theirs, pass_libpcap, NEAR);
	costs[1] = cost(&mine, pass_one, NEAR);
	costs[2] = cost(&mine, pass_row, NEAR);
	print_costs(bench, costs[0], cost_kernel(libpcap, program.bf_len), costs[1], costs[2],
		    cost(&mine, pass_row, PACKETS_MAX));
	costs[3] = cost(&theirs, pass_libpcap, PACKETS_MAX);
	printf(" %5.1fx  %.48s\n", costs[3] / cost(&mine, pass_row, PACKETS_MAX), expression);
	fflush(stdout);
	if (theirs.passed != mine.passed)
		fprintf(stderr, "filters: libpcap passes %zu and Skep %zu\n", theirs.passed, mine.passed);
	skep_filter_free((struct skep_filter *)(uintptr_t)mine.filter);
	skep_diag_free(diag);
	free(raw);
	free(libpcap);
	free(ours);
	pcap_freecode(&plain);
	pcap_freecode(&program);
	return theirs.passed == mine.passed;
}

int main(int argc, char **argv)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	struct bench bench = { 0 };
	bool good = pcap && (argc < 2 || read_packets(argv[1]));

	while (argc < 2 && packet_count < PACKETS_MAX)
		make_packet();
	printf("instructions    executed per packet      ns per packet, %d packets in cache    all %d\n"
	       " raw   -O ours    raw    -O  ours   libpcap  kernel    one    row         row\n", NEAR, PACKETS_MAX);
	for (size_t i = 0; good && i < ARRAY_SIZE(expressions); i++)
		good &= measure(pcap, expressions[i], &bench);
	printf("a row is at least 8 times as fast as libpcap for %u of %u filters, and as fast as the kernel's code for %u of %u\n",
	       bench.eight, bench.done, bench.kernel_as_fast, bench.kernel_done);
	if (pcap)
		pcap_close(pcap);
	return good ? 0 : 1;
}
