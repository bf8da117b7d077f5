/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel.c - whether an object speaks of the running kernel's types at all.
 *
 * Those are large, and reading them is most of what starting a small tool costs. An
 * object without relocations against them, without externs, and with no program whose
 * context or helpers are described by them, is as well off with the machine's own.
 */
#include "object/object.h"

#include "btf/btf.h"
#include "helper/helper.h"

static bool is_plain(uint32_t type)
{
	return type == BPF_PROG_TYPE_TRACEPOINT || type == BPF_PROG_TYPE_RAW_TRACEPOINT ||
	       type == BPF_PROG_TYPE_KPROBE || type == BPF_PROG_TYPE_PERF_EVENT;
}

static bool helper_names_types(const struct helper *helper)
{
	if (helper->ret.btf)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(helper->arg); i++)
		if (helper->arg[i].btf || helper->arg[i].kind == ARG_PTR_TO_BTF_ID ||
		    helper->arg[i].kind == ARG_PTR_TO_PERCPU_BTF_ID)
			return true;
	return false;
}

/* Calls of a section: of helpers whose prototypes name types, or of the kernel's functions. */
static bool code_names_types(const struct elf_section *section)
{
	enum { CALL = 0x85, HELPER = 0, PSEUDO_CALL = 1 };

	for (uint64_t at = 0; section->code && at + 8 <= section->data.size; at += 8) {
		const struct helper *helper;
		struct skep_insn insn;

		memcpy(&insn, (const char *)section->data.data + at, sizeof(insn));
		if (insn.code != CALL || insn.src == PSEUDO_CALL)
			continue;
		helper = insn.src == HELPER ? helper_by_id((uint32_t)insn.imm) : NULL;
		if (!helper || helper_names_types(helper))
			return true;
	}
	return false;
}

/* Type tags: pointers of maps to the kernel's objects. */
static bool has_tags(const struct skep_btf *btf)
{
	uint32_t count = btf ? skep_btf_count(btf) : 0;

	for (uint32_t id = 1; id <= count; id++)
		if (btf_kind(btf_type(btf, id)) == BTF_TYPE_TAG)
			return true;
	return false;
}

bool object_names_kernel_types(const struct skep_object *object)
{
	if (object->core_records.count || object->externs.count || has_tags(object->btf))
		return true;
	for (size_t i = 0; i < object->prog_count; i++) {
		const struct section_match *match = &object->progs[i].match;

		if (object->progs[i].autoload &&
		    (!match->type || match->attach_btf || !is_plain(match->type->id)))
			return true;
	}
	for (uint32_t i = 0; i < object->elf.section_count; i++)
		if (code_names_types(&object->elf.sections[i]))
			return true;
	return false;
}
