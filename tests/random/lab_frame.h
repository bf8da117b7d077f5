/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lab_frame.h - the packet of a run. Apart, since src/hook and src/verify each
 * have a struct frame of their own.
 */
#ifndef RANDOM_LAB_FRAME_H
#define RANDOM_LAB_FRAME_H

#include "helper/packet.h"

struct lab_frame;

struct lab_frame *lab_frame_new(void);
void lab_frame_load(struct lab_frame *frame, uint32_t prog_type, const void *bytes, uint32_t size);
/* NULL: programs of the type do not run on packets. */
struct packet *lab_frame_packet(struct lab_frame *frame, uint32_t prog_type);

#endif
