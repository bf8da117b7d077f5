/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open.c - from foreign bytes to an opened BTF.
 *
 *   | header | ... | types | ... | strings | ... |   sections may come in any
 *                                                    order, offsets from the
 *                                                    end of the header
 *
 * The magic number tells the byte order; everything in the type section is
 * 32-bit words, so another machine's types are turned by swapping each word.
 */
#include "btf/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What newer producers add: the sizes of kinds a reader may not know. */
struct header_layout {
	uint32_t off, len;
};

const struct btf_kind_row btf_kinds[BTF_KIND_COUNT] = {
#define KIND(name, each, fixed, third, vlen, flag) \
	[BTF_##name] = { #name, each, fixed, THIRD_##third, vlen, flag },
#include "btf/kind.def"
};

static int bad(const struct skep_btf *btf, struct skep_diag *diag, const char *what)
{
	struct skep_where where = SKEP_NOWHERE;

	where.object = btf->name;
	return skep_fail(diag, SKEP_BTF_BAD, &where, "%s", what);
}

static int oom(struct skep_diag *diag, const struct skep_btf *btf)
{
	return skep_fail(diag, SKEP_OOM, NULL, "types of '%s'", btf->name);
}

static uint32_t word(const unsigned char *p, bool swapped)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return swapped ? __builtin_bswap32(w) : w;
}

/* A section inside the bytes after the header. */
static bool section_fits(size_t size, const struct btf_header *h, uint32_t off, uint32_t len)
{
	return off <= size - h->hdr_len && len <= size - h->hdr_len - off;
}

static int check_layout(const struct skep_btf *btf, const unsigned char *p, size_t size,
			const struct btf_header *h, bool swapped, struct skep_diag *diag)
{
	struct header_layout layout = { 0 };
	size_t end = sizeof(*h);

	if (h->hdr_len >= sizeof(*h) + sizeof(layout)) {
		layout.off = word(p + sizeof(*h), swapped);
		layout.len = word(p + sizeof(*h) + 4, swapped);
		end += sizeof(layout);
	}
	for (; end < h->hdr_len; end++)
		if (p[end])
			return bad(btf, diag, "Unsupported btf_header");
	if (layout.off % 4 || layout.len % 4 || !section_fits(size, h, layout.off, layout.len))
		return bad(btf, diag, "Invalid section offset (layout)");
	return 0;
}

static int read_header(const struct skep_btf *btf, const unsigned char *p, size_t size,
		       struct btf_header *h, bool *swapped, struct skep_diag *diag)
{
	if (size < sizeof(*h))
		return bad(btf, diag, "btf_header not found");
	memcpy(h, p, sizeof(*h));
	*swapped = h->magic == BTF_MAGIC_SWAPPED;
	if (h->magic != BTF_MAGIC && !*swapped)
		return bad(btf, diag, "Invalid magic");
	if (*swapped) {
		for (uint32_t *w = &h->hdr_len; w <= &h->str_len; w++)
			*w = __builtin_bswap32(*w);
	}
	if (h->version != 1)
		return bad(btf, diag, "Unsupported version");
	if (h->flags)
		return bad(btf, diag, "Unsupported flags");
	if (h->hdr_len < sizeof(*h) || h->hdr_len > size)
		return bad(btf, diag, "Unsupported btf_header");
	if (h->type_off % 4 || h->type_len % 4)
		return bad(btf, diag, "Unaligned type_off");
	if (!section_fits(size, h, h->type_off, h->type_len) ||
	    !section_fits(size, h, h->str_off, h->str_len))
		return bad(btf, diag, "Invalid section offset");
	if ((uint64_t)h->type_off + h->type_len > h->str_off &&
	    (uint64_t)h->str_off + h->str_len > h->type_off && h->type_len && h->str_len)
		return bad(btf, diag, "Section overlap found");
	return check_layout(btf, p, size, h, *swapped, diag);
}

/* Both sections into one block of our own, the types first and so aligned. */
static int copy_sections(struct skep_btf *btf, const unsigned char *p, const struct btf_header *h,
			 bool swapped, struct skep_diag *diag)
{
	const unsigned char *from = p + h->hdr_len;
	uint32_t *words;

	btf->bytes = malloc((size_t)h->type_len + h->str_len + 1);
	if (!btf->bytes)
		return oom(diag, btf);
	memcpy(btf->bytes, from + h->type_off, h->type_len);
	memcpy(btf->bytes + h->type_len, from + h->str_off, h->str_len);
	words = (uint32_t *)btf->bytes;
	if (swapped)
		for (uint32_t i = 0; i < h->type_len / 4; i++)
			words[i] = __builtin_bswap32(words[i]);
	btf->types_len = h->type_len;
	btf->strs = (const char *)btf->bytes + h->type_len;
	btf->str_len = h->str_len;
	if (btf->str_len ? btf->strs[btf->str_len - 1] != 0 : btf->base == NULL)
		return bad(btf, diag, "Invalid string section");
	if (!btf->base && btf->strs[0])
		return bad(btf, diag, "Invalid string section");
	if ((uint64_t)btf->start_str + btf->str_len > UINT32_MAX)
		return bad(btf, diag, "Invalid string section");
	return 0;
}

/* Where each type begins; the last step that reads bytes nobody checked. */
static int index_types(struct skep_btf *btf, struct skep_diag *diag)
{
	struct skep_where where = SKEP_NOWHERE;
	VEC(uint32_t) offs = { 0 };

	where.object = btf->name;
	for (uint64_t off = 0; off < btf->types_len;) {
		const struct btf_type *t = (const void *)(btf->bytes + off);
		uint32_t id = btf->start_id + (uint32_t)offs.count;
		uint64_t left = btf->types_len - off, need;
		const struct btf_kind_row *row;
		uint32_t *slot;

		if (left < sizeof(*t) || btf_kind(t) >= BTF_KIND_COUNT ||
		    !btf_kinds[btf_kind(t)].name) {
			vec_done(&offs);
			return left < sizeof(*t) ?
				skep_fail(diag, SKEP_BTF_BAD, &where,
					  "[%u] meta_left:%u meta_needed:%zu", id,
					  (unsigned)left, sizeof(*t)) :
				skep_fail(diag, SKEP_BTF_BAD, &where, "[%u] Invalid kind:%u", id,
					  btf_kind(t));
		}
		row = &btf_kinds[btf_kind(t)];
		/* FUNC keeps its linkage in vlen, and no elements. */
		need = sizeof(*t) + 4u * (row->fixed + (uint64_t)row->each * btf_vlen(t));
		slot = need <= left && id < INT32_MAX ? vec_push(&offs) : NULL;
		if (!slot) {
			vec_done(&offs);
			return need <= left ? oom(diag, btf) :
				skep_fail(diag, SKEP_BTF_BAD, &where,
					  "[%u] meta_left:%u meta_needed:%llu", id,
					  (unsigned)left, (unsigned long long)need);
		}
		*slot = (uint32_t)off;
		off += need;
	}
	btf->offs = offs.items;
	btf->count = (uint32_t)offs.count;
	return 0;
}

static int compare_tags(const void *a, const void *b, void *arg)
{
	const struct skep_btf *btf = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint32_t tx = btf_type(btf, x)->type, ty = btf_type(btf, y)->type;

	if (tx != ty)
		return tx < ty ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int index_tags(struct skep_btf *btf)
{
	VEC(uint32_t) tags = { 0 };

	for (uint32_t i = 0; i < btf->count; i++) {
		const struct btf_type *t = (const void *)(btf->bytes + btf->offs[i]);
		uint32_t *slot;

		if (btf_kind(t) != BTF_DECL_TAG)
			continue;
		slot = vec_push(&tags);
		if (!slot) {
			vec_done(&tags);
			return -ENOMEM;
		}
		*slot = btf->start_id + i;
	}
	if (tags.count)
		qsort_r(tags.items, tags.count, sizeof(*tags.items), compare_tags, btf);
	btf->tags = tags.items;
	btf->tag_count = (uint32_t)tags.count;
	return 0;
}

/* Backwards, so that every chain goes up by id. */
static int index_names(struct skep_btf *btf)
{
	uint32_t size = 16;

	while (size < btf->count)
		size *= 2;
	btf->head_mask = size - 1;
	btf->heads = calloc(size, sizeof(*btf->heads));
	btf->next = calloc((size_t)btf->count + 1, sizeof(*btf->next));
	if (!btf->heads || !btf->next)
		return -ENOMEM;
	for (uint32_t i = btf->count; i-- > 0;) {
		const struct btf_type *t = (const void *)(btf->bytes + btf->offs[i]);
		uint32_t *head;

		if (!t->name_off)
			continue;
		head = &btf->heads[hash_string(btf_str(btf, t->name_off)) & btf->head_mask];
		btf->next[i] = *head;
		*head = btf->start_id + i;
	}
	return 0;
}

/* "long" tells how wide the described machine's pointers are. */
static uint8_t find_ptr_size(const struct skep_btf *btf)
{
	static const char *const longs[] = { "long int", "long unsigned int", "long",
					     "unsigned long" };

	if (btf->base)
		return btf->base->ptr_size;
	for (uint32_t i = 0; i < btf->count; i++) {
		const struct btf_type *t = btf_type(btf, btf->start_id + i);

		if (btf_kind(t) != BTF_INT || (t->size != 4 && t->size != 8))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(longs); j++)
			if (strcmp(btf_name(btf, t), longs[j]) == 0)
				return (uint8_t)t->size;
	}
	return 8;
}

static int fill(struct skep_btf *btf, const void *bytes, size_t size, struct skep_diag *diag)
{
	struct btf_header header;
	bool swapped;
	int error;

	if (size > UINT32_MAX)
		return bad(btf, diag, "Total section length too long");
	error = read_header(btf, bytes, size, &header, &swapped, diag);
	if (!error)
		error = copy_sections(btf, bytes, &header, swapped, diag);
	if (!error)
		error = index_types(btf, diag);
	if (!error) {
		btf->ptr_size = find_ptr_size(btf);
		error = btf_check(btf, diag);
	}
	if (error)
		return error;
	if (index_tags(btf) < 0 || index_names(btf) < 0)
		return oom(diag, btf);
	return 0;
}

static struct skep_btf *open_bytes(const void *bytes, size_t size, const struct skep_btf *base,
				   const char *name, bool sound, struct skep_diag *diag)
{
	struct skep_btf *btf = calloc(1, sizeof(*btf));

	if (btf)
		btf->name = strdup(name ? name : "BTF");
	if (!btf || !btf->name) {
		skep_report(diag, SKEP_OOM, NULL, "types of '%s'", name ? name : "BTF");
		free(btf);
		return NULL;
	}
	btf->refs = 1;
	btf->start_id = 1;
	btf->ptr_size = 8;
	btf->sound = sound;
	if (base) {
		btf->base = skep_btf_ref(base);
		btf->start_id = skep_btf_count(base) + 1;
		btf->start_str = base->start_str + base->str_len;
	}
	if (fill(btf, bytes, size, diag) < 0) {
		skep_btf_unref(btf);
		return NULL;
	}
	return btf;
}

struct skep_btf *skep_btf_open(const void *bytes, size_t size, const struct skep_btf *base,
			       const char *name, struct skep_diag *diag)
{
	return open_bytes(bytes, size, base, name, false, diag);
}

struct skep_btf *btf_open_sound(const void *bytes, size_t size, const char *name,
				struct skep_diag *diag)
{
	return open_bytes(bytes, size, NULL, name, true, diag);
}

size_t btf_raw_size(const struct skep_btf *btf)
{
	return sizeof(struct btf_header) + btf->types_len + btf->str_len;
}

void btf_raw_write(const struct skep_btf *btf, void *to)
{
	struct btf_header header = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(header),
				     .type_len = btf->types_len, .str_off = btf->types_len,
				     .str_len = btf->str_len };

	memcpy(to, &header, sizeof(header));
	memcpy((char *)to + sizeof(header), btf->bytes, btf->types_len);
	memcpy((char *)to + sizeof(header) + btf->types_len, btf->strs, btf->str_len);
}

size_t btf_raw_offset(const struct skep_btf *btf, uint32_t id)
{
	return sizeof(struct btf_header) + btf->offs[id - btf->start_id];
}

struct skep_btf *skep_btf_ref(const struct skep_btf *btf)
{
	struct skep_btf *mine = (struct skep_btf *)(uintptr_t)btf;

	if (mine)
		__atomic_add_fetch(&mine->refs, 1, __ATOMIC_RELAXED);
	return mine;
}

void skep_btf_unref(struct skep_btf *btf)
{
	if (!btf || __atomic_sub_fetch(&btf->refs, 1, __ATOMIC_ACQ_REL))
		return;
	skep_btf_unref((struct skep_btf *)(uintptr_t)btf->base);
	free(btf->tags);
	free(btf->aligns);
	free(btf->heads);
	free(btf->next);
	free(btf->offs);
	free(btf->bytes);
	free(btf->name);
	free(btf);
}

/* --- files --- */

/* The contents of an ELF file's .BTF section; borrowed from elf. */
static Elf_Data *find_section(Elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings) < 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = NULL;
		Elf64_Shdr *header64 = elf64_getshdr(scn);
		Elf32_Shdr *header32 = header64 ? NULL : elf32_getshdr(scn);

		if (header64)
			name = elf_strptr(elf, strings, header64->sh_name);
		else if (header32)
			name = elf_strptr(elf, strings, header32->sh_name);
		if (name && strcmp(name, ".BTF") == 0)
			return elf_rawdata(scn, NULL);
	}
	return NULL;
}

static struct skep_btf *open_elf(int fd, const char *path, const struct skep_btf *base,
				 struct skep_diag *diag)
{
	struct skep_btf *btf = NULL;
	struct skep_where where = SKEP_NOWHERE;
	Elf_Data *data;
	Elf *elf;

	where.object = path;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	data = elf ? find_section(elf) : NULL;
	if (data && data->d_buf)
		btf = skep_btf_open(data->d_buf, data->d_size, base, path, diag);
	else
		skep_report(diag, SKEP_BTF_NONE, &where, "'%s' has no .BTF section", path);
	elf_end(elf);
	return btf;
}

static struct skep_btf *open_raw(const char *path, const struct skep_btf *base, bool sound,
				 struct skep_diag *diag)
{
	struct skep_btf *btf = NULL;
	void *bytes;
	size_t size;
	int error = read_file(path, &bytes, &size, UINT32_MAX);

	if (error < 0) {
		skep_report(diag, SKEP_IO, NULL, "'%s': %s", path, strerror(-error));
		return NULL;
	}
	btf = open_bytes(bytes, size, base, path, sound, diag);
	free(bytes);
	return btf;
}

struct skep_btf *skep_btf_open_file(const char *path, const struct skep_btf *base,
				    struct skep_diag *diag)
{
	struct skep_btf *btf;
	char magic[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		skep_report(diag, SKEP_IO, NULL, "'%s': %s", path, strerror(errno));
		return NULL;
	}
	if (read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, ELFMAG, 4) == 0) {
		btf = open_elf(fd, path, base, diag);
		close(fd);
		return btf;
	}
	close(fd);
	return open_raw(path, base, false, diag);
}

/* Since 6.16 the kernel's own bytes can be mapped; reading them, a page a call, takes longer. */
static struct skep_btf *open_mapped(const char *path, struct skep_diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct skep_btf *btf = NULL;
	void *bytes = MAP_FAILED;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (bytes == MAP_FAILED)
		return NULL;
	btf = open_bytes(bytes, (size_t)st.st_size, NULL, path, true, diag);
	munmap(bytes, (size_t)st.st_size);
	return btf;
}

struct skep_btf *skep_btf_open_kernel(struct skep_diag *diag)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	struct skep_btf *btf;

	if (access(path, R_OK) < 0) {
		skep_report(diag, SKEP_BTF_NONE, NULL,
			    "this kernel does not show its types (%s: %s)", path,
			    strerror(errno));
		return NULL;
	}
	/* It checked them when it was built. */
	btf = open_mapped(path, NULL);
	return btf ? btf : open_raw(path, NULL, true, diag);
}
