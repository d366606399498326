/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: one read-only tree, whatever it comes from.
 *
 * Paths are absolute inside the target and resolve inside it, whatever its symbolic links
 * say: openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, or where the kernel lacks
 * it (before 5.6, or blocked) a walk of our own, component by component, with O_PATH |
 * O_NOFOLLOW, that follows at most SAP_SYMLINKS_MAX links and never leaves the root.
 * Nothing is ever written, executed or mounted; a FIFO, socket or device is never opened
 * for reading, so nothing blocks and no device sees an open (which alone arms a watchdog or
 * rewinds a tape). Paths: 1 to SAP_PATH_MAX - 1 bytes; without a leading slash they start at
 * the root too; a trailing slash asks for a folder; an empty path, or one with a NUL byte in
 * it, is SAP_ENOENT. A path that leads through one of procfs' magic links is SAP_EIO (ELOOP).
 *
 * An input may be used by several threads at once.
 */
#ifndef SAP_INPUT_INPUT_H
#define SAP_INPUT_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/reader.h"
#include "base/span.h"

struct sap_input;

enum sap_input_flags {
	SAP_INPUT_HOST = 1,       /* the running system: pseudo file systems are skipped */
	SAP_INPUT_NO_OPENAT2 = 2, /* behave as on a kernel without openat2 */
};

/* Opens a folder as the root of a target. SAP_ENOENT, SAP_EIO, SAP_EUSAGE (no folder). */
int sap_input_open(const char *path, unsigned flags, struct sap_input **out, struct sap_err *err);

/* The same over an open descriptor of the folder, which the input takes over (in the worker,
 * which has no rights to open one by name). On failure the descriptor stays the caller's. */
int sap_input_from_fd(int rootfd, unsigned flags, struct sap_input **out, struct sap_err *err);

void sap_input_free(struct sap_input *input);

/* The descriptor of the root folder; stays the input's. */
int sap_input_root_fd(const struct sap_input *input);
unsigned sap_input_flags_of(const struct sap_input *input);

struct sap_input_file {
	int fd; /* close it with sap_input_close */
	uint64_t size;
	uint32_t mode;
	uint64_t dev, ino;
	uint64_t nlink;
	int64_t mtime_ns;
};

/*
 * Opens a regular file for reading, following symbolic links inside the root. SAP_ENOENT;
 * SAP_EIO (sys_errno EACCES, ELOOP ...); SAP_EUNSUPPORTED where the path leads to something
 * that is no regular file, or to a file of a pseudo file system; SAP_ECHANGED where it was
 * replaced meanwhile.
 *
 * System calls: 3 for a path without links and ".." (fstatat, openat2, fstat), else 4 more.
 * The first only looks, so that a device is not opened. With links, and /proc at hand when
 * the input was made, what is opened is the very object that was looked at. Otherwise one
 * gap remains: who may make device nodes in a live target can put one in the file's place
 * between the look and the open; it is closed at once, unread, and the result is
 * SAP_ECHANGED or SAP_EUNSUPPORTED.
 */
int sap_input_file_open(struct sap_input *input, struct sap_str path, struct sap_input_file *out,
			struct sap_err *err);

/* The same for one name in an open folder, for a walk that knows from its folder that the
 * name is a regular file: 2 system calls. Never follows a link (SAP_ECHANGED); the gap above
 * applies from the moment that the folder was read. dirfd must come from this module or a
 * walk below the root. SAP_EUSAGE where name has a '/' in it or is "..". */
int sap_input_file_open_at(int dirfd, const char *name, struct sap_input_file *out,
			   struct sap_err *err);

/* The two halves of sap_input_file_open_at, for a walk that looks at the first bytes of
 * thousands of files and needs no more of most: name_open opens (1 system call; what it gives
 * may still be something else than a regular file, which then fails to be read or read as
 * one), file_from_fd looks at what it is and takes the descriptor over (1 system call; on
 * failure it stays the caller's). */
int sap_input_name_open(int dirfd, const char *name, int *fd, struct sap_err *err);
int sap_input_file_from_fd(int fd, struct sap_input_file *out, struct sap_err *err);
struct stat;
/* The same with what fstatat(2) has just said of a regular file: no system call. Where the
 * file was replaced since, its size is wrong, which reading notices. */
void sap_input_file_from_stat(int fd, const struct stat *st, struct sap_input_file *out);

void sap_input_file_close(struct sap_input_file *file);

/* A reader over an open file. */
static inline struct sap_reader sap_input_file_reader(const struct sap_input_file *file)
{
	return sap_reader_fd(file->fd, file->size);
}

/* A whole file into arena memory; SAP_ELIMIT where it is larger than max. A file that
 * changes its size while it is read gives SAP_ECHANGED. Else as sap_input_file_open. */
int sap_input_read(struct sap_input *input, struct sap_str path, uint64_t max,
		   struct sap_arena *arena, struct sap_span *out, struct sap_err *err);

/* The names in a folder, sorted bytewise, without "." and "..", each with its d_type
 * (DT_UNKNOWN resolved, unless the folder may be read but not searched). Follows symbolic
 * links to the folder. SAP_ENOENT (also where it is no folder), SAP_EIO, SAP_ELIMIT. */
struct sap_input_entry {
	struct sap_str name;
	uint8_t type; /* DT_REG, DT_DIR, DT_LNK ... of dirent.h */
};

int sap_input_list(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
		   struct sap_input_entry **out, uint32_t *n, struct sap_err *err);

/* Opens a folder for reading (readdir, sap_input_file_open_at), following symbolic links.
 * *fd is the caller's. SAP_ENOENT (also where it is no folder), SAP_EIO. */
int sap_input_dir_open(struct sap_input *input, struct sap_str path, int *fd, struct sap_err *err);

/* What a symbolic link says. SAP_ENOENT, SAP_EUNSUPPORTED where it is none. */
int sap_input_readlink(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
		       struct sap_str *out, struct sap_err *err);

/* The path without symbolic links that `path` leads to (which must exist), absolute inside
 * the root. type: DT_REG, DT_DIR ...; may be NULL. SAP_ELIMIT where it has SAP_PATH_MAX bytes
 * or more. */
int sap_input_canonical(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
			struct sap_str *out, uint8_t *type, struct sap_err *err);

/* True where the path exists (links followed) and is a regular file / a folder. */
bool sap_input_has_file(struct sap_input *input, struct sap_str path);
bool sap_input_has_dir(struct sap_input *input, struct sap_str path);

/* True for the magic number (statfs f_type) of a pseudo file system that a scan of a host
 * does not enter: proc, sysfs, cgroup, debugfs, tracefs, securityfs, devpts, mqueue ... */
bool sap_input_is_pseudo(int64_t f_type);

#endif
