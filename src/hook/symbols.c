/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.c - reads the symbol tables of an ELF file through libelf.
 *
 * The file is foreign: libelf checks the tables against the file's size, names are taken
 * through elf_strptr(), which ends inside its section, and every address is looked up in the
 * loads before bytes are taken from there.
 */
#include "hook/symbols.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gelf.h>
#include <zlib.h>

enum {
	FUNCTIONS_MAX = 16 << 20,
};

#define DEBUG_ROOT "/usr/lib/debug"

static Elf *elf_of(const struct binary *binary)
{
	return (Elf *)binary->elf;
}

static int map_file(const char *path, struct view *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		close(fd);
		return -ENOEXEC;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return -errno;
	*image = (struct view){ data, (size_t)st.st_size };
	return 0;
}

static void unmap_file(struct view *image)
{
	if (image->data)
		munmap((void *)(uintptr_t)image->data, image->size);
	*image = (struct view){ 0 };
}

static Elf_Scn *find_section(Elf *elf, const char *name, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) < 0)
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, header))
			continue;
		found = elf_strptr(elf, names, header->sh_name);
		if (found && strcmp(found, name) == 0)
			return section;
	}
	return NULL;
}

/* --- versions --- */

/* The name of a version index, from .gnu.version_d; NULL if it is not defined here. */
static const char *version_name(Elf *elf, unsigned wanted)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, ".gnu.version_d", &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t at = 0;

	for (size_t i = 0; data && i < header.sh_info; i++) {
		GElf_Verdef def;
		GElf_Verdaux aux;

		if (at > INT32_MAX || !gelf_getverdef(data, (int)at, &def))
			return NULL;
		if (def.vd_ndx == wanted &&
		    gelf_getverdaux(data, (int)(at + def.vd_aux), &aux))
			return elf_strptr(elf, header.sh_link, aux.vda_name);
		if (!def.vd_next)
			return NULL;
		at += def.vd_next;
	}
	return NULL;
}

/* Names by version index, filled as they are asked for. */
struct versions {
	Elf_Data *indices;    /* .gnu.version, beside .dynsym */
	const char *names[256];
	bool known[256];
};

static void set_version(Elf *elf, struct versions *versions, size_t index,
			struct function *function)
{
	GElf_Versym version;
	unsigned number;

	function->is_default = true;
	if (!versions->indices || !gelf_getversym(versions->indices, (int)index, &version))
		return;
	number = version & 0x7fff;
	/* 0 and 1 are "local" and "global": no version. */
	if (number < 2 || number >= ARRAY_SIZE(versions->names))
		return;
	if (!versions->known[number]) {
		versions->known[number] = true;
		versions->names[number] = version_name(elf, number);
	}
	function->version = versions->names[number];
	function->is_default = !(version & 0x8000);
}

/* --- symbol tables --- */

static int keep_string(struct binary *binary, const char **string)
{
	char **slot;

	if (!*string)
		return 0;
	slot = vec_push(&binary->names);
	if (!slot)
		return -ENOMEM;
	*slot = strdup(*string);
	if (!*slot)
		return -ENOMEM;
	*string = *slot;
	return 0;
}

/* copy: the strings must outlive elf, which is a debug file's. */
static int read_table(struct binary *binary, Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
		      bool copy)
{
	Elf_Data *data = elf_getdata(section, NULL);
	struct versions versions = { 0 };
	GElf_Shdr version_header;
	Elf_Scn *version_section;
	size_t count;

	if (!data || !header->sh_entsize)
		return 0;
	if (header->sh_type == SHT_DYNSYM) {
		version_section = find_section(elf, ".gnu.version", &version_header);
		versions.indices = version_section ? elf_getdata(version_section, NULL) : NULL;
	}
	count = data->d_size / header->sh_entsize;
	for (size_t i = 1; i < count && i < FUNCTIONS_MAX; i++) {
		struct function *function;
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    (GELF_ST_TYPE(sym.st_info) != STT_FUNC &&
		     GELF_ST_TYPE(sym.st_info) != STT_GNU_IFUNC))
			continue;
		name = elf_strptr(elf, header->sh_link, sym.st_name);
		if (!name || !*name || binary_offset(binary, sym.st_value) < 0)
			continue;
		function = vec_push(&binary->functions);
		if (!function)
			return -ENOMEM;
		*function = (struct function){ .name = name, .address = sym.st_value,
			.size = sym.st_size, .bind = GELF_ST_BIND(sym.st_info),
			.is_ifunc = GELF_ST_TYPE(sym.st_info) == STT_GNU_IFUNC };
		set_version(elf, &versions, i, function);
		if (copy && (keep_string(binary, &function->name) < 0 ||
			     keep_string(binary, &function->version) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* .symtab writes a version into the name ("f@@V1"); .dynsym beside it knows the same. */
static bool has_version_in_name(const struct function *function)
{
	return strchr(function->name, '@') != NULL;
}

static int by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int read_tables(struct binary *binary, Elf *elf, bool copy)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t kept = 0;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		if (read_table(binary, elf, section, &header, copy) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < binary->functions.count; i++)
		if (!has_version_in_name(&binary->functions.items[i]))
			binary->functions.items[kept++] = binary->functions.items[i];
	binary->functions.count = kept;
	if (kept)
		qsort(binary->functions.items, kept, sizeof(*binary->functions.items),
		      by_address);
	return 0;
}

/* --- separate debug files --- */

static bool read_debug_file(struct binary *binary, const char *path, const uint32_t *crc)
{
	struct view image = { 0 };
	bool done = false;
	Elf *elf;

	if (map_file(path, &image) < 0)
		return false;
	if (crc && crc32(0, image.data, (unsigned)image.size) != *crc) {
		unmap_file(&image);
		return false;
	}
	elf = elf_memory((char *)(uintptr_t)image.data, image.size);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		done = read_tables(binary, elf, true) == 0;
	if (elf)
		elf_end(elf);
	unmap_file(&image);
	return done;
}

static bool read_by_build_id(struct binary *binary)
{
	struct view note = binary_section(binary, ".note.gnu.build-id", NULL);
	const uint8_t *bytes = note.data;
	char path[4096];
	int length;

	/* namesz 4, descsz, type 3, "GNU\0", the id */
	if (!bytes || note.size < 18 || note.size > 80)
		return false;
	length = snprintf(path, sizeof(path), "%s/.build-id/%02x/", binary->debug_root, bytes[16]);
	for (size_t i = 17; i < note.size && length + 8 < (int)sizeof(path); i++)
		length += snprintf(path + length, sizeof(path) - (size_t)length, "%02x", bytes[i]);
	snprintf(path + length, sizeof(path) - (size_t)length, ".debug");
	return read_debug_file(binary, path, NULL);
}

static bool read_by_link(struct binary *binary)
{
	struct view link = binary_section(binary, ".gnu_debuglink", NULL);
	const char *name = link.data ? view_string(link, 0) : NULL;
	char real[4096], path[8192], *slash;
	uint32_t crc;
	size_t at;

	if (!name || strchr(name, '/') || !realpath(binary->path, real))
		return false;
	at = (strlen(name) + 4) & ~(size_t)3;
	if (at + sizeof(crc) > link.size)
		return false;
	memcpy(&crc, (const char *)link.data + at, sizeof(crc));
	slash = strrchr(real, '/');
	*slash = '\0';
	snprintf(path, sizeof(path), "%s/%s", real, name);
	if (read_debug_file(binary, path, &crc))
		return true;
	snprintf(path, sizeof(path), "%s/.debug/%s", real, name);
	if (read_debug_file(binary, path, &crc))
		return true;
	snprintf(path, sizeof(path), "%s%s/%s", binary->debug_root, real, name);
	return read_debug_file(binary, path, &crc);
}

bool binary_read_debug(struct binary *binary)
{
	if (binary->debug_read)
		return false;
	binary->debug_read = true;
	return read_by_build_id(binary) || read_by_link(binary);
}

/* --- opening --- */

static int read_loads(struct binary *binary)
{
	size_t count;

	if (elf_getphdrnum(elf_of(binary), &count) < 0)
		return -ENOEXEC;
	for (size_t i = 0; i < count && i < 1024; i++) {
		struct binary_load *load;
		GElf_Phdr header;

		if (!gelf_getphdr(elf_of(binary), (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		if (header.p_offset > binary->image.size ||
		    header.p_filesz > binary->image.size - header.p_offset ||
		    header.p_vaddr > INT64_MAX - header.p_filesz)
			return -ENOEXEC;
		load = vec_push(&binary->loads);
		if (!load)
			return -ENOMEM;
		*load = (struct binary_load){ header.p_vaddr, header.p_offset, header.p_filesz,
					      (header.p_flags & PF_X) != 0 };
	}
	return binary->loads.count ? 0 : -ENOEXEC;
}

static int read_binary(struct binary *binary)
{
	GElf_Ehdr header;
	GElf_Shdr unused;
	int error = map_file(binary->path, &binary->image);

	if (error)
		return error;
	elf_version(EV_CURRENT);
	binary->elf = (struct Elf *)elf_memory((char *)(uintptr_t)binary->image.data,
					       binary->image.size);
	if (!binary->elf || elf_kind(elf_of(binary)) != ELF_K_ELF ||
	    gelf_getclass(elf_of(binary)) != ELFCLASS64 ||
	    !gelf_getehdr(elf_of(binary), &header) || header.e_machine != EM_X86_64 ||
	    (header.e_type != ET_EXEC && header.e_type != ET_DYN))
		return -ENOEXEC;
	error = read_loads(binary);
	if (error)
		return error;
	binary->is_go = find_section(elf_of(binary), ".go.buildinfo", &unused) ||
			find_section(elf_of(binary), ".gopclntab", &unused);
	return read_tables(binary, elf_of(binary), false);
}

struct binary *binary_open(const char *path, const char *debug_root, struct skep_diag *diag)
{
	struct binary *binary = calloc(1, sizeof(*binary));
	int error;

	if (!binary || !(binary->path = strdup(path))) {
		free(binary);
		skep_report(diag, SKEP_OOM, NULL, "the symbols of %s", path);
		return NULL;
	}
	binary->debug_root = debug_root ? debug_root : DEBUG_ROOT;
	error = read_binary(binary);
	if (!error)
		return binary;
	if (error == -ENOEXEC)
		skep_report(diag, SKEP_TARGET_FORMAT, NULL,
			    "%s is not an x86-64 executable or shared library", path);
	else
		skep_report(diag, SKEP_IO, NULL, "%s: %s", path, strerror(-error));
	binary_free(binary);
	return NULL;
}

void binary_free(struct binary *binary)
{
	if (!binary)
		return;
	if (binary->elf)
		elf_end(elf_of(binary));
	unmap_file(&binary->image);
	for (size_t i = 0; i < binary->names.count; i++)
		free(binary->names.items[i]);
	vec_done(&binary->names);
	vec_done(&binary->functions);
	vec_done(&binary->loads);
	free(binary->path);
	free(binary);
}

/* The first readable DIRECTORY/name of a colon-separated list. */
static char *search(const char *list, const char *name, int mode)
{
	while (list && *list) {
		size_t length = strcspn(list, ":");
		char *path = NULL;

		if (asprintf(&path, "%.*s/%s", (int)length, list, name) < 0)
			return NULL;
		if (length && access(path, mode) == 0)
			return path;
		free(path);
		list += length + (list[length] == ':');
	}
	return NULL;
}

char *binary_find(const char *name, struct skep_diag *diag)
{
	bool library = strstr(name, ".so") != NULL;
	char *path;

	if (strchr(name, '/')) {
		path = strdup(name);
	} else if (library) {
		path = search(getenv("LD_LIBRARY_PATH"), name, R_OK);
		if (!path)
			path = search("/usr/lib64:/usr/lib:/lib64:/lib:/usr/lib/x86_64-linux-gnu:"
				      "/lib/x86_64-linux-gnu", name, R_OK);
	} else {
		path = search(getenv("PATH"), name, R_OK | X_OK);
		if (!path)
			path = search("/usr/bin:/usr/sbin", name, R_OK | X_OK);
	}
	if (!path)
		skep_report(diag, SKEP_TARGET_FILE, NULL, "there is no %s '%s' along %s",
			    library ? "library" : "command", name,
			    library ? "LD_LIBRARY_PATH and the library directories" : "PATH");
	return path;
}

/* --- looking up --- */

static const struct binary_load *load_of(const struct binary *binary, uint64_t address)
{
	for (size_t i = 0; i < binary->loads.count; i++) {
		const struct binary_load *load = &binary->loads.items[i];

		if (address >= load->address && address - load->address < load->size)
			return load;
	}
	return NULL;
}

int64_t binary_offset(const struct binary *binary, uint64_t address)
{
	const struct binary_load *load = load_of(binary, address);

	return load ? (int64_t)(load->offset + (address - load->address)) : -1;
}

int64_t binary_from_offset(const struct binary *binary, uint64_t offset)
{
	int64_t found = -1;

	/* A page of the file may be mapped twice; code is meant where one of them is code. */
	for (size_t i = 0; i < binary->loads.count; i++) {
		const struct binary_load *load = &binary->loads.items[i];

		if (offset < load->offset || offset - load->offset >= load->size)
			continue;
		found = (int64_t)(load->address + (offset - load->offset));
		if (load->executable)
			break;
	}
	return found;
}

struct view binary_bytes(const struct binary *binary, uint64_t address)
{
	const struct binary_load *load = load_of(binary, address);
	uint64_t skip = load ? address - load->address : 0;

	if (!load)
		return (struct view){ 0 };
	return (struct view){ (const char *)binary->image.data + load->offset + skip,
			      load->size - skip };
}

struct view binary_section(const struct binary *binary, const char *name, uint64_t *address)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf_of(binary), name, &header);

	if (!section || header.sh_type == SHT_NOBITS || header.sh_offset > binary->image.size ||
	    header.sh_size > binary->image.size - header.sh_offset)
		return (struct view){ 0 };
	if (address)
		*address = header.sh_addr;
	return (struct view){ (const char *)binary->image.data + header.sh_offset,
			      header.sh_size };
}

/* How many functions start at or before the address. */
static size_t functions_until(const struct binary *binary, uint64_t address)
{
	size_t low = 0, high = binary->functions.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (binary->functions.items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct function *binary_function_at(const struct binary *binary, uint64_t address)
{
	size_t end = functions_until(binary, address);

	/* A function without a size (assembly) reaches up to the next. */
	for (size_t i = end; i > 0 && i + 8 > end; i--) {
		const struct function *function = &binary->functions.items[i - 1];

		if (!function->size || address - function->address < function->size)
			return function;
	}
	return NULL;
}

int binary_match(struct binary *binary, const char *pattern, binary_match_fn *call, void *arg)
{
	uint64_t last = UINT64_MAX;
	int count = 0;

	binary_read_debug(binary);
	for (size_t i = 0; i < binary->functions.count; i++) {
		const struct function *function = &binary->functions.items[i];
		int result;

		if (function->address == last || function->is_ifunc ||
		    fnmatch(pattern, function->name, 0) != 0)
			continue;
		last = function->address;
		result = call(arg, function);
		if (result < 0)
			return result;
		count++;
	}
	return count;
}
