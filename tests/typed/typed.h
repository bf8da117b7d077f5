/* SPDX-License-Identifier: BSD-2-Clause */
/* typed.h - what the programs here share: declarations, and how they say what is expected. */
#ifndef TYPED_H
#define TYPED_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define TAG(text) __attribute__((btf_decl_tag(text)))
#define ACCEPTED TAG("accepted")
#define REJECTED(words) TAG("rejected:" words)
#define LOGS(words) TAG("logs:" words)
#define GLOBAL __attribute__((noinline, weak)) int
#define __noinline __attribute__((noinline))
#define __naked __attribute__((naked))
#define __weak __attribute__((weak))
#define __ksym __attribute__((section(".ksyms")))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) __typeof__(val) *name

#define LICENSE char program_license[] SEC("license") = "GPL"

enum { HASH = 1, ARRAY = 2, PROG_ARRAY = 3, ARENA = 33, INSN_ARRAY = 34 };

#endif
