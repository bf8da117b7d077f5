/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sets.c - filters of 10 to 50,000 addresses: how long they take to compile, and what a packet costs.
 *
 * Every second packet has an address of the set. The packets are few enough for the nearest cache;
 * the set's tables are where they fit, so what grows with the set is the way to its memory.
 *
 *   one, row   Skep's machine code: skep_filter_run(), skep_filter_run_many()
 *   kernel     the running kernel's code for the same for tc, by BPF_PROG_TEST_RUN, less what a
 *              program of one return takes there
 *   libpcap    its compiler and pcap_offline_filter(), up to 100 addresses: for 1,000 it takes minutes
 */
#define bpf_insn linux_bpf_insn /* libpcap has another */
#include <linux/bpf.h>
#undef bpf_insn
#include <pcap/pcap.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

enum { PACKETS = 150, SIZE = 60, ROUNDS = 2000, PASSES = 5, LIBPCAP_MAX = 100, REPEAT = 2000, SAMPLE = 16, KERNEL_PASSES = 50 };

static uint8_t bytes[PACKETS][SIZE];
static struct skep_cbpf_packet packets[PACKETS];
static uint32_t results[PACKETS];
static uint64_t state = 88172645463325252u;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint32_t random_word(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static uint32_t address(uint32_t number)
{
	return 0x0b000000 + number * 0x9e3779b1u;
}

static void put32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void make_packets(uint32_t count)
{
	for (unsigned i = 0; i < PACKETS; i++) {
		bytes[i][12] = 8;
		bytes[i][14] = 0x45;
		put32(bytes[i] + 26, random_word() & 1 ? address(random_word() % count) : random_word());
		put32(bytes[i] + 30, random_word());
		packets[i] = (struct skep_cbpf_packet){ .data = bytes[i], .size = SIZE };
	}
}

static char *expression_of(uint32_t count)
{
	char *text = malloc(count * 32), *at = text;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t a = address(i);

		at += sprintf(at, "%shost %u.%u.%u.%u", i ? " or " : "", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	}
	return text;
}

static int compile(void *arg, const char *expression, struct skep_cbpf_insn **insns, size_t *count,
		   struct skep_diag *diag)
{
	struct bpf_program program;

	if (pcap_compile(arg, &program, expression, 0, 0))
		return skep_report(diag, SKEP_CAPTURE, NULL, "%s", pcap_geterr(arg)), -EINVAL;
	*count = program.bf_len;
	*insns = calloc(*count, sizeof(**insns));
	for (size_t i = 0; i < *count; i++)
		(*insns)[i] = (struct skep_cbpf_insn){ program.bf_insns[i].code, program.bf_insns[i].jt,
						       program.bf_insns[i].jf, program.bf_insns[i].k };
	pcap_freecode(&program);
	return 0;
}

/* Without a set: libpcap's code, optimised. */
static int compile_few(pcap_t *pcap, const char *expression, struct skep_cbpf_insn **insns, size_t *count,
		       struct skep_diag *diag)
{
	struct skep_cbpf_insn *plain;
	size_t plain_count;
	int error = compile(pcap, expression, &plain, &plain_count, diag);

	if (error < 0)
		return error;
	error = skep_cbpf_optimise(plain, plain_count, SKEP_CBPF_SOCKET, "few", insns, count, diag);
	free(plain);
	return error;
}

/* --- what a packet costs --- */

typedef size_t pass_fn(const void *subject);

static size_t pass_one(const void *filter)
{
	size_t passed = 0;

	for (unsigned i = 0; i < PACKETS; i++)
		passed += skep_filter_run(filter, &packets[i]) != 0;
	return passed;
}

static size_t pass_row(const void *filter)
{
	return skep_filter_run_many(filter, packets, PACKETS, results);
}

static size_t pass_libpcap(const void *program)
{
	struct pcap_pkthdr head = { .caplen = SIZE, .len = SIZE };
	size_t passed = 0;

	for (unsigned i = 0; i < PACKETS; i++)
		passed += pcap_offline_filter(program, &head, bytes[i]) != 0;
	return passed;
}

static double cost(pass_fn *pass, const void *subject, unsigned rounds)
{
	double best = 1e9;

	for (int i = 0; i < PASSES; i++) {
		double began = seconds();

		for (unsigned round = 0; round < rounds; round++)
			pass(subject);
		best = MIN(best, seconds() - began);
	}
	return best / rounds / PACKETS * 1e9;
}

/* --- the running kernel --- */

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const struct skep_insn *insns, size_t count)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS, .insns = (uintptr_t)insns,
				.insn_cnt = (uint32_t)count, .license = (uintptr_t)"GPL" };

	return bpf(BPF_PROG_LOAD, &attr);
}

/* The tables as the value of a map that programs may only read, as a loader of .rodata has it. */
static int make_map(const struct skep_cbpf_ebpf *ebpf)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .max_entries = 1,
				.value_size = (uint32_t)ebpf->data_size, .map_flags = BPF_F_RDONLY_PROG };
	uint32_t zero = 0;
	int map = bpf(BPF_MAP_CREATE, &attr);

	attr = (union bpf_attr){ .map_fd = (uint32_t)map };
	attr.key = (uintptr_t)&zero;
	attr.value = (uintptr_t)ebpf->data;
	return map >= 0 && bpf(BPF_MAP_UPDATE_ELEM, &attr) < 0 ? -1 : map;
}

/* In nanoseconds. */
static double kernel_run(int program, const struct skep_cbpf_packet *packet)
{
	union bpf_attr attr = { 0 };
	double began = seconds();

	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)packet->data;
	attr.test.data_size_in = packet->size;
	attr.test.repeat = REPEAT;
	return bpf(BPF_PROG_TEST_RUN, &attr) < 0 ? 1e9 : (seconds() - began) / REPEAT * 1e9;
}

/* What the filter adds to a program of one return: the fastest of some runs of each, in turn. */
static double kernel_cost(int filter, int empty, const struct skep_cbpf_packet *packet)
{
	double with = 1e9, without = 1e9;

	for (int i = 0; i < KERNEL_PASSES; i++) {
		with = MIN(with, kernel_run(filter, packet));
		without = MIN(without, kernel_run(empty, packet));
	}
	return MAX(with - without, 0);
}

/* -1: not allowed. */
static double cost_kernel(const struct skep_cbpf_program *program)
{
	static const struct skep_insn nothing[] = { { .code = 0xb7, .imm = 2 }, { .code = 0x95 } };
	struct skep_cbpf_ebpf ebpf;
	double all = 0;
	int map, filter, empty;

	if (skep_cbpf_program_to_ebpf(program, SKEP_CBPF_TO_TC, &ebpf, NULL) < 0)
		return -1;
	map = make_map(&ebpf);
	for (size_t i = 0; i < ebpf.place_count; i++) {
		ebpf.insns[ebpf.places[i]].src = BPF_PSEUDO_MAP_VALUE;
		ebpf.insns[ebpf.places[i]].imm = map;
	}
	filter = load(ebpf.insns, ebpf.count);
	empty = load(nothing, ARRAY_SIZE(nothing));
	for (unsigned i = 0; i < SAMPLE && filter >= 0 && empty >= 0; i++)
		all += kernel_cost(filter, empty, &packets[i]);
	if (filter < 0 || empty < 0)
		all = -SAMPLE;
	close(map);
	close(filter);
	close(empty);
	skep_cbpf_ebpf_done(&ebpf);
	return all / SAMPLE;
}

/* --- all of it --- */

static void print_libpcap(pcap_t *pcap, const char *text, size_t count)
{
	struct bpf_program program;
	double began = seconds();

	if (count > LIBPCAP_MAX || pcap_compile(pcap, &program, text, 1, 0)) {
		printf("        -         -\n");
		return;
	}
	printf(" %8.0f", (seconds() - began) * 1e3);
	printf(" %9.1f\n", cost(pass_libpcap, &program, 20));
	pcap_freecode(&program);
}

static bool measure(pcap_t *pcap, uint32_t count)
{
	struct skep_diag *diag = skep_diag_new();
	char *text = expression_of(count), classic[16] = "too many", kernel[16] = "-";
	struct skep_cbpf_program *program = NULL;
	struct skep_cbpf_insn *insns = NULL;
	struct skep_filter *filter = NULL;
	double began = seconds(), compiled, in_kernel = -1;
	size_t insn_count = 0;

	make_packets(count);
	if (skep_cbpf_compile(text, "set", compile, pcap, &program, diag) == 0 && program)
		filter = skep_filter_open_program(program, SKEP_FILTER_COMPILE, diag);
	else if (compile_few(pcap, text, &insns, &insn_count, diag) == 0)
		filter = skep_filter_open(insns, insn_count, SKEP_CBPF_SOCKET, SKEP_FILTER_COMPILE, "few", diag);
	compiled = seconds() - began;
	if (!filter) {
		fprintf(stderr, "sets: %s\n", skep_diag_text(diag, 0));
		return false;
	}
	if (program) {
		in_kernel = cost_kernel(program);
		skep_cbpf_program_classic(program, &insns, &insn_count, NULL);
	}
	if (insns)
		snprintf(classic, sizeof(classic), "%zu", insn_count);
	if (in_kernel >= 0)
		snprintf(kernel, sizeof(kernel), "%.1f", in_kernel);
	printf("%9u %8.1f %9s %6.1f %6.1f %7s", count, compiled * 1e3, classic, cost(pass_one, filter, ROUNDS),
	       cost(pass_row, filter, ROUNDS), kernel);
	fflush(stdout);
	print_libpcap(pcap, text, count);
	skep_filter_free(filter);
	skep_cbpf_program_free(program);
	skep_diag_free(diag);
	free(insns);
	free(text);
	return true;
}

int main(void)
{
	static const uint32_t counts[] = { 10, 100, 1000, 10000, 50000 };
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	bool good = pcap != NULL;

	printf("             Skep   classic     ns per packet            libpcap\n"
	       "addresses  ms to   instruc-    one    row  kernel    ms to        ns\n"
	       "          compile     tions                        compile  a packet\n");
	for (size_t i = 0; i < ARRAY_SIZE(counts) && good; i++)
		good = measure(pcap, counts[i]);
	if (pcap)
		pcap_close(pcap);
	return good ? 0 : 1;
}
