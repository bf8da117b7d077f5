/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.c - may a program access these bytes of its context?
 *
 * A row allows whole units; its bits add shorter or double accesses. Rows may
 * overlap: an access is allowed when any row allows it.
 */
#include "prog/prog.h"

static bool row_is_for(const struct ctx_field *row, uint32_t attach)
{
	return !row->attach_mask || (attach < 64 && (row->attach_mask >> attach & 1));
}

static bool row_allows(const struct ctx_field *row, uint32_t off, uint32_t size, bool write)
{
	if (off < row->off || off + size > (uint32_t)row->off + row->size)
		return false;
	if (write ? !row->write : !row->read)
		return false;
	if (size == row->unit)
		return (off - row->off) % row->unit == 0;
	if (size == 8 && row->unit == 4)
		return row->wide && off % 8 == 0;
	if (size > row->unit)
		return false;
	if (write ? row->narrow_write : row->narrow)
		return off % size == 0;
	return !write && row->narrow_head && (off - row->off) % row->unit == 0;
}

const struct ctx_field *ctx_field_at(const struct ctx_layout *ctx, uint32_t off,
				     uint32_t attach)
{
	for (const struct ctx_field *row = ctx->fields; row && row->size; row++)
		if (row_is_for(row, attach) && off >= row->off && off - row->off < row->size)
			return row;
	return NULL;
}

static bool plain_access(const struct ctx_layout *ctx, uint32_t off, uint32_t size, bool write)
{
	if (!ctx->plain || (write && !ctx->plain_write))
		return false;
	return off >= ctx->plain_start && off + size <= ctx->size && off % size == 0;
}

bool ctx_access(const struct ctx_layout *ctx, int64_t off, uint32_t size, bool write,
		uint32_t attach, const struct ctx_field **field)
{
	uint32_t at = (uint32_t)off;

	if (off < 0 || size == 0 || size > 8 || off >= (int64_t)ctx->size)
		return false;
	for (const struct ctx_field *row = ctx->fields; row && row->size; row++) {
		if (!row_is_for(row, attach) || !row_allows(row, at, size, write))
			continue;
		*field = row;
		return true;
	}
	if (!plain_access(ctx, at, size, write))
		return false;
	*field = NULL;
	return true;
}
