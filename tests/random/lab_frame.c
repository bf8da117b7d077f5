/* SPDX-License-Identifier: BSD-2-Clause */
/* lab_frame.c - see lab_frame.h. */
#include "lab_frame.h"

#include <stdlib.h>

#include "hook/frame.h"

enum { HEADROOM = 256 };

struct lab_frame {
	struct frame frame;
};

struct lab_frame *lab_frame_new(void)
{
	struct lab_frame *frame = calloc(1, sizeof(*frame));

	return frame && frame_init(&frame->frame) == 0 ? frame : NULL;
}

void lab_frame_load(struct lab_frame *frame, uint32_t prog_type, const void *bytes, uint32_t size)
{
	const struct frame_shape *shape = frame_shape(prog_type);

	if (shape)
		frame_load(&frame->frame, shape, true, bytes, size, HEADROOM, NULL);
}

struct packet *lab_frame_packet(struct lab_frame *frame, uint32_t prog_type)
{
	return frame_shape(prog_type) ? &frame->frame.packet : NULL;
}
