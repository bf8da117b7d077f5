/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.h - the agent's image, made ready for the place it will lie at.
 *
 * Every target maps the same bytes at the same address, so what the image's
 * pointers hold is worked out here, once, and targets only map a file.
 *
 * Threads: confined.
 */
#ifndef HOOK_IMAGE_H
#define HOOK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hook/agent.h"

/* What its file is called, as /proc/PID/maps shows it behind "/memfd:". */
#define IMAGE_NAME "skep-agent"

struct image {
	uint64_t base;            /* where it must be mapped */
	uint8_t *bytes;           /* owned: table.size of them, as they begin in memory */
	struct agent_table table;
};

/* Lays out an ELF image for base. 0 or a negative errno: -ENOEXEC for what is not
 * such an image (bytes that need more than adding the base, say), -ENOMEM. */
int image_layout(struct image *image, const void *elf, size_t size, uint64_t base);
/* The same of the image that this library carries. */
int image_init(struct image *image, uint64_t base);
void image_done(struct image *image);
/* Whether it is that of an agent of this version. */
bool image_table_good(const struct agent_table *table);
/* Its bytes as a file: an executable mapping of it is all a target needs. */
int image_write(const struct image *image, int fd);

#endif
