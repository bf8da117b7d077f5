/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_packets.c - packets through a filter: from a capture by Skep's own machine code; from an
 * interface by the kernel, which gets the optimised filter attached to its socket.
 */
#include "cli/filter.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct run {
	const struct filter_job *job;
	struct skep_filter *filter; /* NULL: the kernel filters, or libpcap */
	struct bpf_program program; /* libpcap's own form, for what only it runs */
	bool by_libpcap;
	struct out_file file;
	pcap_t *format;          /* what is written */
	pcap_dumper_t *dumper;   /* is file.file, which we close */
	uint64_t packets, passed, bytes;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* libpcap's array of the same instructions. */
static bool to_libpcap(const struct filter_code *code, struct bpf_program *program,
		       struct skep_diag *diag)
{
	program->bf_len = (unsigned)code->count;
	program->bf_insns = calloc(code->count, sizeof(*program->bf_insns));
	if (!program->bf_insns) {
		skep_report(diag, SKEP_OOM, NULL, "filter of %zu instructions", code->count);
		return false;
	}
	for (size_t i = 0; i < code->count; i++) {
		const struct skep_cbpf_insn *insn = &code->insns[i];

		program->bf_insns[i] = (struct bpf_insn){ insn->code, insn->jt, insn->jf, insn->k };
	}
	return true;
}

/* By the kernel, if it has room for it. */
static bool attach_filter(struct run *run, struct filter_code *code, struct skep_diag *diag)
{
	if (code->program && !filter_classic(code, NULL)) {
		fprintf(stderr, "skep: the filter looks for %zu addresses or ports, too many for the kernel's classic "
				"BPF: all packets are taken from it and filtered here\n",
			skep_cbpf_program_numbers(code->program));
		run->filter = filter_open(code, run->job->interpret, diag);
		return run->filter != NULL;
	}
	if (!to_libpcap(code, &run->program, diag))
		return false;
	if (pcap_setfilter(run->job->pcap, &run->program) == 0)
		return true;
	skep_report(diag, SKEP_CAPTURE, NULL, "the filter cannot be attached on '%s': %s",
		    run->job->source, pcap_geterr(run->job->pcap));
	return false;
}

static bool open_filter(struct run *run, struct filter_code *code, struct skep_diag *diag)
{
	if (run->job->live)
		return attach_filter(run, code, diag);
	if (code->loops) {
		fprintf(stderr, "skep: this expression needs a loop, which classic BPF in Linux does not have: "
				"libpcap's interpreter runs it\n");
		run->by_libpcap = true;
		return to_libpcap(code, &run->program, diag);
	}
	run->filter = filter_open(code, run->job->interpret, diag);
	return run->filter != NULL;
}

static bool open_output(struct run *run, struct skep_diag *diag)
{
	pcap_t *pcap = run->job->pcap;
	int error;

	if (!run->job->out)
		return true;
	error = out_open(&run->file, run->job->out, diag);
	if (error < 0)
		return false;
	run->format = pcap_open_dead_with_tstamp_precision(
		pcap_datalink(pcap), pcap_snapshot(pcap),
		run->job->nano ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO);
	run->dumper = run->format ? pcap_dump_fopen(run->format, run->file.file) : NULL;
	if (!run->dumper)
		skep_report(diag, SKEP_CAPTURE, NULL, "cannot write '%s': %s", run->job->out,
			    run->format ? pcap_geterr(run->format) : "out of memory");
	return run->dumper != NULL;
}

static bool passes(const struct run *run, const struct pcap_pkthdr *head, const uint8_t *data)
{
	struct skep_cbpf_packet packet = { .data = data, .size = head->caplen, .len = head->len };

	if (run->by_libpcap)
		return pcap_offline_filter(&run->program, head, data) != 0;
	return !run->filter || skep_filter_run(run->filter, &packet) != 0;
}

/* Until the end, the limit, or a signal. */
static int each_packet(struct run *run, struct skep_diag *diag)
{
	const struct filter_job *job = run->job;

	while (!stopped && (!job->limit || run->passed < job->limit)) {
		struct pcap_pkthdr *head;
		const uint8_t *data;
		int got = pcap_next_ex(job->pcap, &head, &data);

		if (got == PCAP_ERROR_BREAK)
			break;
		if (got < 0 && !stopped)
			return skep_fail(diag, SKEP_CAPTURE, NULL, "cannot read '%s': %s", job->source,
					 pcap_geterr(job->pcap));
		if (got <= 0)
			continue;
		run->packets++;
		run->bytes += head->caplen;
		if (!passes(run, head, data))
			continue;
		run->passed++;
		if (run->dumper)
			pcap_dump((unsigned char *)run->dumper, head, data);
	}
	return 0;
}

/* Of an interface, the kernel's own count: what it saw, and lost. */
static void say(struct run *run, double took)
{
	struct pcap_stat stat = { 0 };
	double rate = took > 0 ? (double)run->packets / took : 0;

	if (run->job->live && pcap_stats(run->job->pcap, &stat) != 0)
		stat = (struct pcap_stat){ 0 };
	if (run->job->json) {
		struct json json;

		json_begin(&json, stdout);
		json_uint(&json, "packets", run->packets);
		json_uint(&json, "passed", run->passed);
		json_uint(&json, "bytes", run->bytes);
		json_uint(&json, "dropped", stat.ps_drop);
		json_uint(&json, "ns", (uint64_t)(took * 1e9));
		json_end(&json);
	} else if (run->job->live) {
		fprintf(stderr, "%llu packets passed in %.3f s, %u lost for want of room\n",
			(unsigned long long)run->passed, took, stat.ps_drop);
	} else {
		fprintf(stderr, "%llu of %llu packets passed, %.1f MB in %.3f s: %.2f million packets/s\n",
			(unsigned long long)run->passed, (unsigned long long)run->packets,
			(double)run->bytes / 1e6, took, rate / 1e6);
	}
}

static void watch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int filter_packets(const struct filter_job *job, struct filter_code *code,
		   struct skep_diag *diag)
{
	struct run run = { .job = job };
	bool good = open_filter(&run, code, diag) && open_output(&run, diag);
	double began;
	int error;

	if (good) {
		watch_signals();
		began = seconds();
		good = each_packet(&run, diag) == 0;
		say(&run, seconds() - began);
	}
	error = out_close(&run.file, good, diag);
	if (run.format)
		pcap_close(run.format);
	skep_filter_free(run.filter);
	free(run.program.bf_insns);
	return good && error == 0 ? 0 : -EIO;
}
