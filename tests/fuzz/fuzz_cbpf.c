/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_cbpf.c - any bytes as classic instructions, and as a packet. A filter that is accepted is
 * converted to every kind of program, which the verifier accepts, and as native code returns
 * what the interpreter returns.
 *
 *   0      2                2 + n                the rest
 *   | n    | instructions   | packet             |
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cbpf/cbpf.h"
#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct filter {
	struct skep_cbpf_insn *insns;
	size_t count;
};

/* A program of many ways may be too much for the verifier, but not wrong. */
static void check_kind(const struct filter *filter, enum skep_cbpf_target target, uint32_t type)
{
	struct skep_verify_result result = { 0 };
	struct skep_insn *insns = NULL;
	struct prog_spec spec = { .name = "fuzz", .type = prog_type(type), .license = "MIT",
				  .attach = type == BPF_PROG_TYPE_XDP ? BPF_XDP : 0 };
	size_t count = 0;
	int error = skep_cbpf_to_ebpf(filter->insns, filter->count, target, "fuzz", &insns, &count, NULL);

	if (error < 0 && error != -EOPNOTSUPP)
		abort();
	if (error == 0) {
		spec.insns = insns;
		spec.len = (uint32_t)count;
		error = verify(&spec, &(struct skep_verify_opts){ 0 }, &result, NULL, NULL);
		if (error < 0 || (result.error < 0 && result.error != -E2BIG))
			abort();
		skep_verify_result_done(&result);
	}
	free(insns);
}

static void run_both(const struct filter *filter, const struct skep_cbpf_packet *packet)
{
	struct skep_filter *native =
		skep_filter_open(filter->insns, filter->count, SKEP_CBPF_SOCKET, 0, "fuzz", NULL);

	if (!native || skep_filter_run(native, packet) !=
			       skep_cbpf_run(filter->insns, filter->count, packet))
		abort();
	skep_filter_free(native);
}

static void run_call(const struct filter *filter, const uint8_t *data, size_t size)
{
	struct skep_cbpf_call call = { 0 };
	struct skep_filter *native =
		skep_filter_open(filter->insns, filter->count, SKEP_CBPF_SECCOMP, 0, "fuzz", NULL);

	memcpy(&call, data, MIN(size, sizeof(call)));
	if (!native || skep_filter_run_call(native, &call) !=
			       skep_cbpf_run_call(filter->insns, filter->count, &call))
		abort();
	skep_filter_free(native);
}

static void write_all(const struct filter *filter)
{
	for (int form = 0; form < SKEP_CBPF_FORM_COUNT; form++) {
		struct skep_text text = { 0 };

		if (skep_cbpf_write(filter->insns, filter->count, (enum skep_cbpf_form)form, &text) < 0)
			abort();
		free(text.data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_cbpf_packet packet = { .link = 0, .has_link = true, .network = 14,
					   .has_device = true, .protocol = 0x0800 };
	struct filter filter;
	uint16_t n;

	if (size < 2)
		return 0;
	memcpy(&n, data, 2);
	data += 2;
	size -= 2;
	filter.count = MIN(n, size / sizeof(*filter.insns));
	filter.insns = malloc(filter.count * sizeof(*filter.insns) + 1);
	if (!filter.insns)
		return 0;
	memcpy(filter.insns, data, filter.count * sizeof(*filter.insns));
	data += filter.count * sizeof(*filter.insns);
	size -= filter.count * sizeof(*filter.insns);
	packet.data = data;
	packet.size = (uint32_t)size;
	write_all(&filter);
	skep_cbpf_run(filter.insns, filter.count, &packet);
	if (skep_cbpf_check(filter.insns, filter.count, SKEP_CBPF_SOCKET, "fuzz", NULL) == 0) {
		check_kind(&filter, SKEP_CBPF_TO_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER);
		check_kind(&filter, SKEP_CBPF_TO_TC, BPF_PROG_TYPE_SCHED_CLS);
		check_kind(&filter, SKEP_CBPF_TO_XDP, BPF_PROG_TYPE_XDP);
		run_both(&filter, &packet);
	}
	if (skep_cbpf_check(filter.insns, filter.count, SKEP_CBPF_SECCOMP, "fuzz", NULL) == 0)
		run_call(&filter, data, size);
	free(filter.insns);
	return 0;
}
