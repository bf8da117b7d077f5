/* SPDX-License-Identifier: BSD-2-Clause */
/* capture.c - packets from and to capture files, through libpcap. */
#include "cli/capture.h"
#include "cli/cli.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ETHERNET_HEADER 14
#define SNAP_LENGTH (256 * 1024)

struct capture_in {
	pcap_t *pcap;
	char *path;
	bool bare_ip;       /* frames start with the IP header */
	uint8_t *frame;     /* of bare IP, with the header we add */
};

struct capture_out {
	pcap_t *pcap;
	pcap_dumper_t *dumper;   /* is file.file, which we close */
	struct out_file file;
};

static int fail(struct skep_diag *diag, const char *doing, const char *path, const char *why)
{
	return skep_fail(diag, SKEP_CAPTURE, NULL, "cannot %s '%s': %s", doing, path, why);
}

/* libpcap's reason, without the path that it may begin with. */
static void fail_open(struct skep_diag *diag, const char *path, const char *why)
{
	struct stat file;
	size_t len = strlen(path);

	if (strncmp(why, path, len) == 0 && strncmp(why + len, ": ", 2) == 0)
		why += len + 2;
	if (stat(path, &file) == 0 && S_ISREG(file.st_mode) && file.st_size == 0)
		why = "it is empty";
	fail(diag, "read", path, why);
	if (strstr(why, "format"))
		skep_help(diag, "it must be a pcap or pcapng file, as tcpdump -w writes");
}

static bool set_filter(struct capture_in *in, const char *filter, struct skep_diag *diag)
{
	struct bpf_program program;
	bool good = pcap_compile(in->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;

	if (!good) {
		skep_report(diag, SKEP_ARG, NULL, "the filter '%s' is not valid: %s", filter,
			    pcap_geterr(in->pcap));
		return false;
	}
	good = pcap_setfilter(in->pcap, &program) == 0;
	pcap_freecode(&program);
	return good;
}

/* Ethernet as it is, bare IP with a header of our own; nothing else. */
static bool accept_link(struct capture_in *in, struct skep_diag *diag)
{
	int link = pcap_datalink(in->pcap);
	const char *name = pcap_datalink_val_to_name(link);

	in->bare_ip = link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6;
	if (link == DLT_EN10MB || in->bare_ip)
		return true;
	skep_report(diag, SKEP_CAPTURE, NULL, "'%s' holds %s packets; programs want Ethernet or IP",
		    in->path, name ? name : "unknown");
	skep_help(diag, "capture on one interface (tcpdump -i eth0), not on 'any'");
	return false;
}

struct capture_in *capture_open(const char *path, const char *filter, struct skep_diag *diag)
{
	struct capture_in *in = calloc(1, sizeof(*in));
	char why[PCAP_ERRBUF_SIZE] = "";

	if (!in || !(in->path = strdup(path)) ||
	    !(in->frame = calloc(1, SNAP_LENGTH + ETHERNET_HEADER))) {
		skep_report(diag, SKEP_OOM, NULL, "opening '%s'", path);
		capture_close(in);
		return NULL;
	}
	in->pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!in->pcap)
		fail_open(diag, path, why);
	if (!in->pcap || !accept_link(in, diag) || (filter && !set_filter(in, filter, diag))) {
		capture_close(in);
		return NULL;
	}
	return in;
}

void capture_close(struct capture_in *in)
{
	if (!in)
		return;
	if (in->pcap)
		pcap_close(in->pcap);
	free(in->path);
	free(in->frame);
	free(in);
}

/* Zero addresses and the EtherType that the IP version asks for. */
static const uint8_t *add_header(struct capture_in *in, const uint8_t *data, uint32_t size)
{
	bool six = size && data[0] >> 4 == 6;

	memset(in->frame, 0, ETHERNET_HEADER);
	in->frame[12] = six ? 0x86 : 0x08;
	in->frame[13] = six ? 0xdd : 0x00;
	memcpy(in->frame + ETHERNET_HEADER, data, size);
	return in->frame;
}

int capture_next(struct capture_in *in, struct skep_packet_in *packet, struct skep_diag *diag)
{
	struct pcap_pkthdr *head;
	const uint8_t *data;
	int got = pcap_next_ex(in->pcap, &head, &data);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got < 0)
		return fail(diag, "read", in->path, pcap_geterr(in->pcap));
	*packet = (struct skep_packet_in){
		.data = data, .size = head->caplen, .wire_size = head->len,
		/* with nanosecond precision, tv_usec holds nanoseconds */
		.time_ns = (uint64_t)head->ts.tv_sec * 1000000000u + (uint64_t)head->ts.tv_usec,
	};
	if (in->bare_ip) {
		if (packet->size > SNAP_LENGTH)
			return fail(diag, "read", in->path, "a packet is larger than 256 KiB");
		packet->data = add_header(in, data, packet->size);
		packet->size += ETHERNET_HEADER;
		packet->wire_size += ETHERNET_HEADER;
	}
	return 1;
}

struct capture_out *capture_create(const char *path, struct skep_diag *diag)
{
	struct capture_out *out = calloc(1, sizeof(*out));

	if (!out) {
		skep_report(diag, SKEP_OOM, NULL, "creating '%s'", path);
		return NULL;
	}
	if (out_open(&out->file, path, diag) < 0) {
		free(out);
		return NULL;
	}
	out->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAP_LENGTH,
							 PCAP_TSTAMP_PRECISION_NANO);
	out->dumper = out->pcap ? pcap_dump_fopen(out->pcap, out->file.file) : NULL;
	if (!out->dumper) {
		fail(diag, "create", path, out->pcap ? pcap_geterr(out->pcap) : "out of memory");
		capture_finish(out, false, diag);
		return NULL;
	}
	return out;
}

void capture_write(struct capture_out *out, uint64_t time_ns, const void *data, uint32_t size)
{
	struct pcap_pkthdr head = { .caplen = size, .len = size };

	head.ts.tv_sec = (time_t)(time_ns / 1000000000u);
	head.ts.tv_usec = (suseconds_t)(time_ns % 1000000000u);
	pcap_dump((unsigned char *)out->dumper, &head, data);
}

int capture_finish(struct capture_out *out, bool keep, struct skep_diag *diag)
{
	int error;

	if (!out)
		return 0;
	error = out_close(&out->file, keep, diag);
	if (out->pcap)
		pcap_close(out->pcap);
	free(out);
	return error;
}
