/* SPDX-License-Identifier: BSD-2-Clause */
/* task_file.c - see task_file.h. [runtime] */
#include "helper/task_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "map/sys.h"

/* "pipe:[7]", "anon_inode:[eventfd]": what Linux has for a name of those. */
static char *name_without_path(char *text)
{
	char *colon = strchr(text, ':');

	if (strncmp(text, "anon_inode:", 11) == 0)
		return colon + 1;
	return colon ? colon + strlen(colon) : text;
}

static void set_name(struct own_dentry *dentry, char *name, struct own_dentry *parent)
{
	dentry->d_name.name = (const unsigned char *)name;
	dentry->d_name.len = (uint32_t)strlen(name);
	dentry->d_parent = parent;
}

static char *last_slash(char *text)
{
	char *at = text + strlen(text);

	while (at > text && *at != '/')
		at--;
	return at;
}

/*
 * Cuts the text at its slashes, from the end: the last name is the last in the array. A file that
 * never had a name in a directory is told as "/memfd:name (deleted)".
 */
static void cut_path(struct task_file *file, bool deleted)
{
	bool nowhere = deleted && strncmp(file->text, "/memfd:", 7) == 0;
	static char root[] = "/";
	struct own_dentry *at = &file->names[TASK_FILE_NAMES - 1];
	char *slash;

	if (file->text[0] != '/' || nowhere) {
		set_name(at, nowhere ? file->text + 1 : name_without_path(file->text), at);
		return;
	}
	while (at > file->names && (slash = last_slash(file->text))[0] == '/' && slash[1]) {
		set_name(at, slash + 1, at - 1);
		*slash = '\0';
		at--;
	}
	set_name(at, root, at);
}

static uint32_t kernel_dev(uint64_t dev)
{
	return (uint32_t)major(dev) << 20 | (uint32_t)minor(dev);
}

void task_file_inode(struct own_inode *inode, const struct stat *st,
		     struct own_super *super)
{
	*inode = (struct own_inode){
		.i_sb = super, .i_ino = st->st_ino, .i_size = st->st_size,
		.i_nlink = (uint32_t)st->st_nlink, .i_rdev = kernel_dev(st->st_rdev),
		.i_uid = st->st_uid, .i_gid = st->st_gid, .i_mode = (uint16_t)st->st_mode,
		.i_blocks = (uint64_t)st->st_blocks,
		.i_blkbits = (uint8_t)(st->st_blksize ? __builtin_ctzl((unsigned long)st->st_blksize) : 0),
	};
}

static void take_super(struct own_super *super, const char *path, uint64_t dev)
{
	struct statfs system = { 0 };

	sys_call2(SYS_statfs, path, &system);
	*super = (struct own_super){ .s_dev = kernel_dev(dev), .s_magic = (uint64_t)system.f_type };
}

void task_file_fill(struct task_file *file, const char *path)
{
	static const char deleted[] = " (deleted)";
	struct stat st = { 0 };
	int64_t size = sys_call4(SYS_readlinkat, AT_FDCWD, path, file->text,
				 sizeof(file->text) - 1);

	bool gone;

	size = size < 0 ? 0 : size;
	file->text[size] = '\0';
	sys_call4(SYS_newfstatat, AT_FDCWD, path, &st, 0);
	gone = !st.st_nlink && size >= (int64_t)sizeof(deleted) &&
	       strcmp(file->text + size - (sizeof(deleted) - 1), deleted) == 0;
	if (gone)
		file->text[size - (int64_t)(sizeof(deleted) - 1)] = '\0';
	take_super(&file->super, path, st.st_dev);
	task_file_inode(&file->inode, &st, &file->super);
	cut_path(file, gone);
	file->names[TASK_FILE_NAMES - 1].d_inode = &file->inode;
	file->names[TASK_FILE_NAMES - 1].d_sb = &file->super;
	file->file.f_path.dentry = &file->names[TASK_FILE_NAMES - 1];
	file->file.f_inode = &file->inode;
}
