/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * needs.h - the capabilities that something asks for, in the tables that define it.
 *
 * The bits are those of enum skep_caps. CAP_SYS_ADMIN stands for all the others.
 */
#ifndef ISA_NEEDS_H
#define ISA_NEEDS_H

enum needs {
	NEEDS_BPF = 1 << 0,
	NEEDS_PERFMON = 1 << 1,
	NEEDS_NET_ADMIN = 1 << 2,
	NEEDS_SYS_ADMIN = 1 << 3,
	NEEDS_ALL = NEEDS_BPF | NEEDS_PERFMON | NEEDS_NET_ADMIN | NEEDS_SYS_ADMIN,
};

#endif
