/* SPDX-License-Identifier: BSD-2-Clause */
/* test_run.c - running a program once in the kernel, on what the caller gives. */
#include "linux/impl.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "hook/frame.h"

enum { GROWTH = 512 };      /* a program may add headers */

static int test_run(struct skep_linux *kernel, const struct skep_object_prog *prog,
		    struct skep_test_run *run)
{
	struct sys_test_run attr = {
		.fd = (uint32_t)linux_prog(kernel, prog)->fd,
		.in = (uintptr_t)run->data_in, .size_in = (uint32_t)run->data_size_in,
		.out = (uintptr_t)run->data_out, .size_out = (uint32_t)run->data_size_out,
		.ctx_in = (uintptr_t)run->ctx_in, .ctx_size_in = (uint32_t)run->ctx_size_in,
		.ctx_out = (uintptr_t)run->ctx_out, .ctx_size_out = (uint32_t)run->ctx_size_out,
		.repeat = run->repeat, .flags = run->flags,
	};
	int error = (int)sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));

	if (error < 0 && error != -ENOSPC)
		return error;
	run->data_size_out = attr.size_out;
	run->ctx_size_out = attr.ctx_size_out;
	run->retval = attr.retval;
	run->duration_ns = attr.duration;
	return error;
}

int skep_linux_test_run(struct skep_linux *kernel, const struct skep_object_prog *prog,
			struct skep_test_run *run, struct skep_diag *diag)
{
	struct skep_where where = object_where(kernel->object, prog->section,
					       skep_object_prog_name(prog));
	int error = linux_prog(kernel, prog)->fd < 0 ? -ENOENT : test_run(kernel, prog, run);

	if (error == -EPERM)
		return sys_denied(error, "run programs", &where, diag);
	if (error < 0)
		skep_report(diag, SKEP_LINUX_RUN, &where, "the running kernel does not run it on "
			    "this: %s", strerror(-error));
	return error;
}

int skep_linux_run_packet(struct skep_linux *kernel, const struct skep_object_prog *prog,
			  const struct skep_packet_in *in, struct skep_packet_out *out,
			  struct skep_diag *diag)
{
	const struct frame_shape *shape = prog->match.type ? frame_shape(prog->match.type->id) : NULL;
	struct skep_test_run run = { .data_in = in->data, .data_size_in = in->size,
				     .data_size_out = PACKET_MAX + GROWTH };
	int error;

	if (!shape)
		return skep_fail(diag, SKEP_PACKET_TYPE, NULL, "program '%s'",
				 skep_object_prog_name(prog));
	if (!kernel->packet)
		kernel->packet = malloc(PACKET_MAX + GROWTH);
	if (!kernel->packet)
		return skep_fail(diag, SKEP_OOM, NULL, "a buffer for packets");
	run.data_out = kernel->packet;
	error = skep_linux_test_run(kernel, prog, &run, diag);
	if (error < 0)
		return error;
	*out = (struct skep_packet_out){ .retval = (int32_t)run.retval, .data = kernel->packet,
					 .size = (uint32_t)run.data_size_out,
					 .action = kernel->action };
	out->verdict = frame_verdict(shape, run.retval, in->egress, kernel->action,
				     sizeof(kernel->action));
	/* A socket keeps so many bytes of the packet. */
	if (shape->prog_type == BPF_PROG_TYPE_SOCKET_FILTER && run.retval < out->size)
		out->size = run.retval;
	/* Where programs do not see the link header, the kernel gives zeros back for it. */
	if (!shape->test_at_mac && run.data_size_out >= PACKET_ETH_LEN)
		memcpy(kernel->packet, in->data, PACKET_ETH_LEN);
	out->changed = out->size != in->size || memcmp(out->data, in->data, in->size) != 0;
	return 0;
}
