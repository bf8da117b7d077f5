/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.c - the machine's own kernel types.
 *
 * The table below describes the records that programs are shown in place of the
 * kernel's (helper/task.h), under the kernel's names for them and their fields.
 * A field that is not here does not exist for a program: asked for by
 * bpf_core_field_exists() it is not there, and to read it is an error.
 */
#include <stdlib.h>

#include "base/base.h"
#include "btf/btf.h"
#include "helper/task.h"
#include "object/types.h"

/* Ids are places in the table, from 1. */
enum own {
	OWN_VOID, OWN_INT, OWN_UINT, OWN_CHAR, OWN_ULONG, OWN_PID, OWN_UID, OWN_GID,
	OWN_UID_RECORD, OWN_KUID, OWN_GID_RECORD, OWN_KGID, OWN_TASK, OWN_TASK_POINTER,
	OWN_CRED, OWN_CONST_CRED, OWN_CRED_POINTER, OWN_COMM, OWN_CONST_CHAR, OWN_STRING,
	OWN_BINPRM, OWN_SIGINFO, OWN_COUNT,
};

struct own_member {
	const char *name;        /* NULL: the end */
	uint32_t type, offset;   /* bytes */
};

#define TASK(field, type) { #field, type, offsetof(struct own_task, field) }
#define CRED(field, type) { #field, type, offsetof(struct own_cred, field) }

#define BINPRM(field, type) { #field, type, offsetof(struct own_binprm, field) }
#define SIGINFO(field, type) { #field, type, offsetof(struct own_siginfo, field) }

static const struct own_member task_members[] = {
	TASK(pid, OWN_PID), TASK(tgid, OWN_PID),
	TASK(real_parent, OWN_TASK_POINTER), TASK(group_leader, OWN_TASK_POINTER),
	TASK(real_cred, OWN_CRED_POINTER), TASK(cred, OWN_CRED_POINTER),
	TASK(exit_code, OWN_INT), TASK(comm, OWN_COMM), { 0 },
};

static const struct own_member cred_members[] = {
	CRED(uid, OWN_KUID), CRED(gid, OWN_KGID), CRED(suid, OWN_KUID), CRED(sgid, OWN_KGID),
	CRED(euid, OWN_KUID), CRED(egid, OWN_KGID), { 0 },
};

static const struct own_member binprm_members[] = {
	BINPRM(filename, OWN_STRING), BINPRM(argc, OWN_INT), BINPRM(envc, OWN_INT), { 0 },
};

static const struct own_member siginfo_members[] = {
	SIGINFO(si_signo, OWN_INT), SIGINFO(si_errno, OWN_INT), SIGINFO(si_code, OWN_INT), { 0 },
};

static const struct own_member uid_members[] = { { "val", OWN_UID, 0 }, { 0 } };
static const struct own_member gid_members[] = { { "val", OWN_GID, 0 }, { 0 } };

struct own_row {
	enum btf_kind kind;
	const char *name;
	uint32_t third;          /* size or type */
	uint32_t encoding;       /* of an integer */
	uint32_t count;          /* of an array */
	const struct own_member *members;
};

#define NUMBER(c_name, c_type, encode) { BTF_INT, c_name, sizeof(c_type), .encoding = encode }
#define RECORD(c_name, bytes, list) { BTF_STRUCT, c_name, bytes, .members = list }

static const struct own_row rows[OWN_COUNT] = {
	[OWN_INT] = NUMBER("int", int, BTF_INT_SIGNED),
	[OWN_UINT] = NUMBER("unsigned int", unsigned, 0),
	[OWN_CHAR] = NUMBER("char", char, BTF_INT_SIGNED),
	[OWN_ULONG] = NUMBER("long unsigned int", unsigned long, 0),
	[OWN_PID] = { BTF_TYPEDEF, "pid_t", OWN_INT },
	[OWN_UID] = { BTF_TYPEDEF, "uid_t", OWN_UINT },
	[OWN_GID] = { BTF_TYPEDEF, "gid_t", OWN_UINT },
	[OWN_UID_RECORD] = RECORD(NULL, sizeof(uint32_t), uid_members),
	[OWN_KUID] = { BTF_TYPEDEF, "kuid_t", OWN_UID_RECORD },
	[OWN_GID_RECORD] = RECORD(NULL, sizeof(uint32_t), gid_members),
	[OWN_KGID] = { BTF_TYPEDEF, "kgid_t", OWN_GID_RECORD },
	[OWN_TASK] = RECORD("task_struct", sizeof(struct own_task), task_members),
	[OWN_TASK_POINTER] = { BTF_PTR, NULL, OWN_TASK },
	[OWN_CRED] = RECORD("cred", sizeof(struct own_cred), cred_members),
	[OWN_CONST_CRED] = { BTF_CONST, NULL, OWN_CRED },
	[OWN_CRED_POINTER] = { BTF_PTR, NULL, OWN_CONST_CRED },
	[OWN_COMM] = { BTF_ARRAY, NULL, OWN_CHAR,
		       .count = sizeof(((struct own_task *)0)->comm) },
	[OWN_CONST_CHAR] = { BTF_CONST, NULL, OWN_CHAR },
	[OWN_STRING] = { BTF_PTR, NULL, OWN_CONST_CHAR },
	[OWN_BINPRM] = RECORD("linux_binprm", sizeof(struct own_binprm), binprm_members),
	[OWN_SIGINFO] = RECORD("kernel_siginfo", sizeof(struct own_siginfo), siginfo_members),
};

/* --- as BTF --- */

struct writer {
	struct skep_text types, text;
};

static void put(struct writer *w, uint32_t word)
{
	text_add_bytes(&w->types, (const char *)&word, sizeof(word));
}

static uint32_t name_offset(struct writer *w, const char *name)
{
	uint32_t offset = (uint32_t)w->text.len;

	if (!name)
		return 0;
	text_add_bytes(&w->text, name, strlen(name) + 1);
	return offset;
}

static void put_members(struct writer *w, const struct own_row *row)
{
	for (const struct own_member *m = row->members; m->name; m++) {
		put(w, name_offset(w, m->name));
		put(w, m->type);
		put(w, m->offset * 8);
	}
}

static void put_row(struct writer *w, const struct own_row *row)
{
	uint32_t count = 0;

	while (row->members && row->members[count].name)
		count++;
	put(w, name_offset(w, row->name));
	put(w, (uint32_t)row->kind << 24 | count);
	put(w, row->kind == BTF_ARRAY ? 0 : row->third);
	if (row->kind == BTF_INT)
		put(w, row->encoding << 24 | row->third * 8);
	if (row->kind == BTF_ARRAY) {
		put(w, row->third);
		put(w, OWN_ULONG);
		put(w, row->count);
	}
	if (row->members)
		put_members(w, row);
}

struct skep_btf *skep_btf_open_machine(struct skep_diag *diag)
{
	struct btf_header header = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(header) };
	struct writer w = { 0 };
	struct skep_text all = { 0 };
	struct skep_btf *btf = NULL;

	text_add_bytes(&w.text, "", 1);
	for (uint32_t i = 1; i < OWN_COUNT; i++)
		put_row(&w, &rows[i]);
	header.type_len = header.str_off = (uint32_t)w.types.len;
	header.str_len = (uint32_t)w.text.len;
	text_add_bytes(&all, (const char *)&header, sizeof(header));
	text_add_bytes(&all, w.types.data, w.types.len);
	text_add_bytes(&all, w.text.data, w.text.len);
	if (w.types.failed || w.text.failed || all.failed)
		skep_report(diag, SKEP_OOM, NULL, "the machine's own types");
	else
		btf = skep_btf_open(all.data, all.len, NULL, "the machine's own types", diag);
	text_done(&w.types);
	text_done(&w.text);
	text_done(&all);
	return btf;
}

struct skep_btf *machine_types(const struct skep_btf *kernel, struct skep_diag *diag)
{
	struct skep_btf *own = skep_btf_open_machine(diag), *both;

	if (!own || !kernel)
		return own;
	both = btf_overlay(kernel, own, "the machine's types", diag);
	skep_btf_unref(own);
	return both;
}
