/* SPDX-License-Identifier: BSD-2-Clause */
/* load.c - from OBJECT on the command line to loaded programs (see load.h). */
#include "cli/load.h"

#include <stdlib.h>
#include <string.h>

bool loaded_open(struct loaded *loaded, const char *operand, const char *btf,
		 struct skep_diag *diag)
{
	if (btf) {
		loaded->kernel = kernel_types(btf, diag);
		if (!loaded->kernel)
			return false;
	}
	loaded->object = object_arg_open(&loaded->arg, operand, diag);
	if (!loaded->object)
		return false;
	if (loaded->kernel)
		skep_object_set_kernel_btf(loaded->object, loaded->kernel);
	return true;
}

bool loaded_set(struct loaded *loaded, const struct list *settings, struct skep_diag *diag)
{
	for (size_t i = 0; i < settings->count; i++) {
		const char *text = settings->items[i], *equals = strchr(text, '=');
		char name[128];

		if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name)) {
			skep_report(diag, SKEP_ARG, NULL, "'%s' is not NAME=VALUE", text);
			return false;
		}
		memcpy(name, text, (size_t)(equals - text));
		name[equals - text] = '\0';
		if (skep_object_set_global(loaded->object, name, equals + 1, diag) < 0)
			return false;
	}
	return true;
}

static bool same_type(const struct skep_object_prog *a, const struct skep_object_prog *b)
{
	const char *x = skep_object_prog_type(a), *y = skep_object_prog_type(b);

	return x && y && strcmp(x, y) == 0;
}

/* Which programs are loaded. */
static void settle(const struct loaded *loaded, struct skep_object_prog *const *chosen,
		   size_t count)
{
	for (size_t i = 0; i < skep_object_prog_count(loaded->object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(loaded->object, i);
		bool is_chosen = false, relative = false;

		for (size_t c = 0; c < count; c++) {
			is_chosen |= prog == chosen[c];
			relative |= same_type(prog, chosen[c]);
		}
		if (is_chosen || !relative)
			skep_object_prog_set_autoload(prog, is_chosen);
	}
}

bool loaded_load_linux(struct loaded *loaded, struct skep_object_prog *const *chosen, size_t count,
		       const struct skep_linux_opts *opts, struct skep_diag *diag)
{
	if (count)
		settle(loaded, chosen, count);
	loaded->world.kernel = skep_linux_load(loaded->object, opts, diag);
	return loaded->world.kernel != NULL;
}

bool loaded_machine(struct loaded *loaded, bool interpret, bool shared, struct skep_diag *diag)
{
	struct skep_machine_opts opts = {
		.engine = interpret ? SKEP_ENGINE_INTERPRETER : SKEP_ENGINE_AUTO,
		.shared = shared,
	};

	loaded->world.machine = loaded->join ? skep_machine_open(loaded->join, &opts, diag)
					     : skep_machine_new(&opts, diag);
	return loaded->world.machine != NULL;
}

bool loaded_load(struct loaded *loaded, struct skep_object_prog *const *chosen, size_t count,
		 bool interpret, struct skep_diag *diag)
{
	struct skep_verify_opts verify = { .kernel_btf = loaded->kernel, .explain = true };

	settle(loaded, chosen, count);
	return loaded_machine(loaded, interpret, false, diag) &&
	       skep_machine_load(loaded->world.machine, loaded->object, &verify, diag) == 0;
}

void loaded_done(struct loaded *loaded)
{
	world_done(&loaded->world);
	skep_object_free(loaded->object);
	skep_btf_unref(loaded->kernel);
	object_arg_done(&loaded->arg);
	*loaded = (struct loaded){ 0 };
}
