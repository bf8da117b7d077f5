/* SPDX-License-Identifier: BSD-2-Clause */
/* feature.c - the tables of every part, seen through one door. */
#include <skep/feature.h>

#include "base/base.h"
#include "helper/helper.h"
#include "map/map.h"
#include "prog/prog.h"

static const char *const kfunc_names[] = {
#define KFUNC(name, flags, sets, kind) #name,
#include "verify/kfunc.def"
};

static bool get_map(uint32_t id, struct skep_feature *feature)
{
	const struct map_type *type = map_type(id);

	if (!type)
		return false;
	feature->name = type->name;
	feature->doc = type->doc;
	feature->checked = id != BPF_MAP_TYPE_UNSPEC;
	feature->executed = type->init != NULL;
	return true;
}

static bool get_prog(uint32_t id, struct skep_feature *feature)
{
	const struct prog_type *type = prog_type(id);

	if (!type)
		return false;
	feature->name = type->name;
	feature->doc = type->doc;
	feature->checked = type->ctx != NULL;
	/* on packets, or with a context of plain memory */
	feature->executed = type->packet ||
			    (type->ctx && (type->ctx->plain || type->ctx->btf_args));
	return true;
}

static bool get_attach(uint32_t id, struct skep_feature *feature)
{
	feature->name = attach_type_name(id);
	if (!feature->name)
		return false;
	for (uint32_t type = 0; prog_type(type); type++)
		feature->checked |= prog_type(type)->ctx && prog_type_attaches(prog_type(type), id);
	return true;
}

static bool get_helper(uint32_t id, struct skep_feature *feature)
{
	const struct helper *helper = helper_by_id(id);

	if (id >= HELPER_ID_MAX)
		return false;
	feature->name = helper ? helper->name : "unspec";
	feature->doc = helper ? helper->doc : NULL;
	feature->prototype = helper ? helper->prototype : NULL;
	feature->checked = helper != NULL;
	feature->executed = helper && (helper->call || helper->by_engine);
	return true;
}

static bool get_kfunc(uint32_t id, struct skep_feature *feature)
{
	if (id >= ARRAY_SIZE(kfunc_names))
		return false;
	feature->name = kfunc_names[id];
	feature->checked = true;
	return true;
}

static bool (*const getters[])(uint32_t id, struct skep_feature *feature) = {
	[SKEP_FEATURE_MAP_TYPE] = get_map,       [SKEP_FEATURE_PROG_TYPE] = get_prog,
	[SKEP_FEATURE_ATTACH_TYPE] = get_attach, [SKEP_FEATURE_HELPER] = get_helper,
	[SKEP_FEATURE_KFUNC] = get_kfunc,
};

bool skep_feature_get(enum skep_feature_kind kind, size_t index, struct skep_feature *feature)
{
	struct skep_feature found = { .kind = kind, .id = (uint32_t)index };

	if ((size_t)kind >= ARRAY_SIZE(getters) || index > UINT32_MAX ||
	    !getters[kind]((uint32_t)index, &found))
		return false;
	*feature = found;
	return true;
}

size_t skep_feature_count(enum skep_feature_kind kind)
{
	struct skep_feature feature;
	size_t count = 0;

	while (skep_feature_get(kind, count, &feature))
		count++;
	return count;
}

bool skep_feature_helper_allowed(uint32_t prog, uint32_t helper)
{
	const struct prog_type *type = prog_type(prog);

	if (!type)
		return false;
	if (helper_get(helper, prog, 0))
		return true;
	for (uint32_t attach = 1; attach_type_name(attach); attach++) {
		if (prog_type_attaches(type, attach) && helper_get(helper, prog, attach))
			return true;
	}
	return false;
}
