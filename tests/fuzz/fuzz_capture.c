/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_capture.c - any bytes as a capture: read by 'skep filter -r', and as the packets that
 * programs are run on. Of the packets that pass a filter, none is more than the capture has.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/capture.h"
#include "cli/cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

extern const struct verb verb_filter;

/* What the command says is not looked at. */
static void be_quiet(void)
{
	static bool quiet;

	if (quiet)
		return;
	quiet = true;
	stdout = fopen("/dev/null", "we");
	stderr = fopen("/dev/null", "we");
	if (!stdout || !stderr)
		abort();
}

static void filter(const char *in, const char *out, const char *expression)
{
	char *argv[] = { (char *)"-r", (char *)in, (char *)"-w", (char *)out, (char *)expression, NULL };
	int argc = 5;
	void *args = calloc(1, verb_filter.args_size);
	bool help = false;

	if (!args || options_parse(&verb_filter, args, &argc, argv, &help) != EXIT_DONE)
		abort();
	verb_filter.run(&verb_filter, args, argc, argv);
	options_done(&verb_filter, args);
	free(args);
}

/* Every byte that is handed out is looked at. */
static void read_packets(const char *path, size_t limit)
{
	struct skep_diag *diag = skep_diag_new();
	struct capture_in *in = capture_open(path, NULL, diag);
	struct skep_packet_in packet;
	static volatile uint8_t sum;
	size_t total = 0;

	while (in && capture_next(in, &packet, diag) == 1) {
		const uint8_t *bytes = packet.data;

		for (size_t i = 0; i < packet.size; i++)
			sum = (uint8_t)(sum + bytes[i]);
		total += packet.size;
	}
	/* frames of bare IP get a header of 14 bytes, and a packet's own head is longer */
	if (total > limit + limit)
		abort();
	capture_close(in);
	skep_diag_free(diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const expressions[] = { "ip or arp", "len > 4 and not port 80", "ether[6] & 1 = 0" };
	int in = memfd_create("capture", MFD_CLOEXEC);
	struct stat written;
	char path[40], out[40];
	int kept = memfd_create("kept", MFD_CLOEXEC);

	be_quiet();
	if (in < 0 || kept < 0 || write(in, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
	snprintf(out, sizeof(out), "/proc/self/fd/%d", kept);
	read_packets(path, size);
	filter(path, out, expressions[size % ARRAY_SIZE(expressions)]);
	/* a pcapng's blocks are larger than a pcap's, so what was written is never more than twice that */
	if (fstat(kept, &written) == 0 && (size_t)written.st_size > 24 + 2 * size)
		abort();
	close(kept);
	close(in);
	return 0;
}
