/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filters.c - packet filters over a capture: instructions per packet as libpcap writes them, as its own
 * optimiser leaves them, and as ours does; and packets per second of libpcap's interpreter and of
 * Skep's machine code. filters [CAPTURE]
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <time.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

enum { PACKETS_MAX = 200000 };

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

/* The capture's packets, again and again, one behind the other in memory. */
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
	while (packet_count < PACKETS_MAX && pcap_next_ex(pcap, &head, &data) == 1) {
		heads[packet_count] = *head;
		packets[packet_count].data = memcpy(malloc(head->caplen + 1), data, head->caplen);
		packets[packet_count].size = head->caplen;
		packets[packet_count++].len = head->len;
	}
	pcap_close(pcap);
	once = packet_count;
	for (; once && packet_count < PACKETS_MAX; packet_count++) {
		packets[packet_count] = packets[packet_count - once];
		heads[packet_count] = heads[packet_count - once];
	}
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

/* The fastest of some passes, in millions of packets per second; passed: how many did. */
static double rate_libpcap(const struct bpf_program *program, size_t *passed)
{
	double best = 1e9;

	for (int pass = 0; pass < 5; pass++) {
		double began = seconds();

		*passed = 0;
		for (size_t i = 0; i < packet_count; i++)
			*passed += pcap_offline_filter(program, &heads[i], packets[i].data) != 0;
		best = MIN(best, seconds() - began);
	}
	return (double)packet_count / best / 1e6;
}

static double rate_skep(const struct skep_filter *filter, size_t *passed)
{
	double best = 1e9;

	for (int pass = 0; pass < 5; pass++) {
		double began = seconds();

		*passed = skep_filter_run_many(filter, packets, packet_count, results);
		best = MIN(best, seconds() - began);
	}
	return (double)packet_count / best / 1e6;
}

static bool measure(pcap_t *pcap, const char *expression)
{
	struct bpf_program plain, program;
	struct skep_cbpf_insn *raw, *libpcap, *ours;
	struct skep_filter *filter;
	struct skep_diag *diag = skep_diag_new();
	size_t count, theirs_passed, ours_passed;
	double theirs, mine;

	if (pcap_compile(pcap, &plain, expression, 0, 0) || pcap_compile(pcap, &program, expression, 1, 0)) {
		fprintf(stderr, "filters: %s: %s\n", expression, pcap_geterr(pcap));
		return false;
	}
	raw = copy(&plain);
	libpcap = copy(&program);
	if (skep_cbpf_optimise(libpcap, program.bf_len, SKEP_CBPF_SOCKET, expression, &ours, &count, diag) < 0)
		return false;
	filter = skep_filter_open(ours, count, SKEP_CBPF_SOCKET, SKEP_FILTER_COMPILE, expression, diag);
	if (!filter) {
		fprintf(stderr, "filters: %s: %s\n", expression, skep_diag_text(diag, 0));
		return false;
	}
	theirs = rate_libpcap(&program, &theirs_passed);
	mine = rate_skep(filter, &ours_passed);
	printf("%5u %5u %5zu  %6.1f %6.1f %6.1f  %8.1f %8.1f %6.1fx  %.58s\n", plain.bf_len, program.bf_len, count,
	       mean_steps(raw, plain.bf_len), mean_steps(libpcap, program.bf_len), mean_steps(ours, count),
	       theirs, mine, mine / theirs, expression);
	if (theirs_passed != ours_passed)
		fprintf(stderr, "filters: libpcap passes %zu and Skep %zu\n", theirs_passed, ours_passed);
	skep_filter_free(filter);
	skep_diag_free(diag);
	free(raw);
	free(libpcap);
	free(ours);
	pcap_freecode(&plain);
	pcap_freecode(&program);
	return theirs_passed == ours_passed;
}

int main(int argc, char **argv)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	bool good = pcap && read_packets(argc > 1 ? argv[1] : BENCH_CAPTURE);

	printf("instructions       executed per packet   million packets/s\n"
	       "  raw    -O  ours     raw     -O   ours   libpcap     Skep\n");
	for (size_t i = 0; good && i < ARRAY_SIZE(expressions); i++)
		good &= measure(pcap, expressions[i]);
	if (pcap)
		pcap_close(pcap);
	return good ? 0 : 1;
}
