/* SPDX-License-Identifier: BSD-2-Clause */
/* tag.h - the tag of a program: the same instructions have the same one. */
#ifndef MACHINE_TAG_H
#define MACHINE_TAG_H

#include <stddef.h>
#include <stdint.h>
#include <skep/insn.h>

/*
 * The first 8 bytes of the SHA-256 of the instructions, with references to maps
 * (which differ from load to load) as zero; so it is since Linux 6.18.
 * -ENOMEM.
 */
int prog_tag(const struct skep_insn *insns, size_t count, uint8_t tag[8]);

#endif
