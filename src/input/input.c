/* SPDX-License-Identifier: Apache-2.0 */
#include "input/input.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "input/input_int.h"

/* A single read(2) moves at most this many bytes. */
#define READ_CHUNK 0x7ffff000ULL

static int open_proc(void)
{
	struct statfs fs;
	int sap_cleanup_fd fd = open("/proc", SAP_INPUT_LOOK | O_DIRECTORY);

	/* In a chroot "/proc" may be anything. */
	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return -1;
	return sap_steal_fd(&fd);
}

int sap_input_from_fd(int rootfd, unsigned flags, struct sap_input **out, struct sap_err *err)
{
	struct sap_input *input;
	struct stat st;

	if (fstat(rootfd, &st) < 0)
		return sap_err_sys(err, errno, "cannot use the root folder");
	if (!S_ISDIR(st.st_mode))
		return sap_err_set(err, SAP_EUSAGE, "the root of a target must be a folder");
	input = calloc(1, sizeof(*input));
	if (!input)
		return sap_err_nomem(err);
	*input = (struct sap_input){
		.rootfd = rootfd,
		.procfd = open_proc(),
		.flags = flags,
		.uid = geteuid(),
		.root_dev = st.st_dev,
		.root_ino = st.st_ino,
	};
	atomic_init(&input->no_openat2, (flags & SAP_INPUT_NO_OPENAT2) != 0);
	atomic_init(&input->content_dev, st.st_dev);
	*out = input;
	return 0;
}

int sap_input_open(const char *path, unsigned flags, struct sap_input **out, struct sap_err *err)
{
	int sap_cleanup_fd fd = open(path, SAP_INPUT_LOOK | O_DIRECTORY);
	int rc;

	if (fd < 0 && errno == ENOTDIR)
		return sap_err_set(err, SAP_EUSAGE, "%s is no folder", path);
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot open %s", path);
	rc = sap_input_from_fd(fd, flags, out, err);
	if (rc == 0)
		sap_steal_fd(&fd);
	return rc;
}

void sap_input_free(struct sap_input *input)
{
	if (!input)
		return;
	sap_close_fd(&input->rootfd);
	sap_close_fd(&input->procfd);
	free(input);
}

int sap_input_root_fd(const struct sap_input *input)
{
	return input->rootfd;
}

unsigned sap_input_flags_of(const struct sap_input *input)
{
	return input->flags;
}

static void fill(struct sap_input_file *out, int fd, const struct stat *st)
{
	*out = (struct sap_input_file){
		.fd = fd,
		.size = (uint64_t)st->st_size,
		.mode = st->st_mode,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.nlink = st->st_nlink,
		.mtime_ns = (int64_t)((uint64_t)st->st_mtim.tv_sec * 1000000000U +
				      (uint64_t)st->st_mtim.tv_nsec),
	};
}

/* Missing from Debian 12's linux/magic.h; from the kernel's sources of each. */
#define CONFIGFS_MAGIC 0x62656570
#define MQUEUE_MAGIC 0x19800202
#define FUSE_CTL_MAGIC 0x65735543
#define RPC_PIPEFS_MAGIC 0x67596969
#define NFSD_MAGIC 0x6e667364

bool sap_input_is_pseudo(int64_t f_type)
{
	static const uint32_t pseudo[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		SECURITYFS_MAGIC,
		DEVPTS_SUPER_MAGIC,
		MQUEUE_MAGIC,
		CONFIGFS_MAGIC,
		BPF_FS_MAGIC,
		PSTOREFS_MAGIC,
		EFIVARFS_MAGIC,
		HUGETLBFS_MAGIC,
		SELINUX_MAGIC,
		SMACK_MAGIC,
		AAFS_MAGIC,
		BINFMTFS_MAGIC,
		RDTGROUP_SUPER_MAGIC,
		NSFS_MAGIC,
		FUSE_CTL_MAGIC,
		RPC_PIPEFS_MAGIC,
		NFSD_MAGIC,
		BINDERFS_SUPER_MAGIC,
		XENFS_SUPER_MAGIC,
		SOCKFS_MAGIC,
		PIPEFS_MAGIC,
		ANON_INODE_FS_MAGIC,
		BDEVFS_MAGIC,
		DMA_BUF_MAGIC,
		SECRETMEM_MAGIC,
		USBDEVICE_SUPER_MAGIC,
		/* A place where something may be mounted: entering it would mount it. */
		AUTOFS_SUPER_MAGIC,
	};

	/* f_type is signed on some architectures, and the numbers have 32 bits. */
	for (size_t i = 0; i < sizeof(pseudo) / sizeof(pseudo[0]); i++) {
		if (pseudo[i] == (uint32_t)f_type)
			return true;
	}
	return false;
}

/* Pseudo file systems have anonymous device numbers (major 0), as overlay, btrfs and tmpfs
 * do; so only the first file of each such device costs a statfs. */
static bool is_pseudo_file(struct sap_input *input, int fd, uint64_t dev)
{
	struct statfs fs;

	if (dev == atomic_load_explicit(&input->content_dev, memory_order_relaxed) ||
	    major(dev) != 0 || fstatfs(fd, &fs) < 0)
		return false;
	if (sap_input_is_pseudo(fs.f_type))
		return true;
	atomic_store_explicit(&input->content_dev, dev, memory_order_relaxed);
	return false;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && S_ISREG(b->st_mode);
}

/*
 * Where no link is involved: three system calls and no second descriptor. The look before
 * may be led out of the root by a link, but only its answer "no device" is used, and then
 * the open, which takes no links, fails. -ELOOP: the slow way is needed.
 */
static int open_plain(struct sap_input *input, const char *path, struct stat *st)
{
	const char *rel = path + strspn(path, "/");
	struct stat before;
	int sap_cleanup_fd fd = -1;
	int flags = SAP_INPUT_READ;

	if (atomic_load_explicit(&input->no_openat2, memory_order_relaxed) || strstr(path, "..") ||
	    fstatat(input->rootfd, rel, &before, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(before.st_mode))
		return -ELOOP;
	if (before.st_uid == input->uid)
		flags |= O_NOATIME;
	fd = sap_input_openat2(input, path, flags, RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return fd == -ENOSYS ? -ELOOP : fd;
	if (fstat(fd, st) < 0)
		return -errno;
	return same_file(&before, st) ? sap_steal_fd(&fd) : -ELOOP;
}

/* A descriptor for reading of what an O_PATH descriptor stands for. Without a /proc the
 * path is resolved again. */
static int reopen(struct sap_input *input, int fd, const char *path, int flags)
{
	char name[32];
	int got;

	if (input->procfd >= 0) {
		/* "self" is looked up each time: it follows a fork. */
		snprintf(name, sizeof(name), "self/fd/%d", fd);
		got = openat(input->procfd, name, flags);
		if (got < 0 && errno == EPERM)
			got = openat(input->procfd, name, flags & ~O_NOATIME);
		if (got >= 0 || errno != ENOENT)
			return got < 0 ? -errno : got;
	}
	return sap_input_resolve(input, path, flags & ~O_NOATIME);
}

/* Any path: look first, then open what was looked at. */
static int open_looking(struct sap_input *input, const char *path, struct stat *st)
{
	struct stat before;
	int sap_cleanup_fd look = sap_input_resolve(input, path, SAP_INPUT_LOOK);
	int sap_cleanup_fd fd = -1;

	if (look < 0)
		return look;
	if (fstat(look, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EMEDIUMTYPE;
	fd = reopen(input, look, path,
		    SAP_INPUT_READ | (before.st_uid == input->uid ? O_NOATIME : 0));
	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return -errno;
	return same_file(&before, st) ? sap_steal_fd(&fd) : -EAGAIN;
}

int sap_input_file_open(struct sap_input *input, struct sap_str path, struct sap_input_file *out,
			struct sap_err *err)
{
	char cpath[SAP_PATH_MAX];
	struct stat st = { 0 };
	int rc = sap_input_cpath(path, cpath);
	int sap_cleanup_fd fd = -1;

	if (rc < 0)
		return sap_input_fail(rc, "cannot open", path, err);
	fd = open_plain(input, cpath, &st);
	if (fd == -ELOOP)
		fd = open_looking(input, cpath, &st);
	if (fd == -EMEDIUMTYPE)
		return sap_err_set(err, SAP_EUNSUPPORTED, "%.*s is no regular file", SAP_FMT(path));
	if (fd < 0)
		return sap_input_fail(fd, "cannot open", path, err);
	if (is_pseudo_file(input, fd, st.st_dev))
		return sap_err_set(err, SAP_EUNSUPPORTED, "%.*s is in a pseudo file system",
				   SAP_FMT(path));
	fill(out, sap_steal_fd(&fd), &st);
	return 0;
}

int sap_input_name_open(int dirfd, const char *name, int *out, struct sap_err *err)
{
	int fd;

	if (strchr(name, '/') || strcmp(name, "..") == 0)
		return sap_err_set(err, SAP_EUSAGE, "%s is no name of a file", name);
	/* Reading changes the time of access, unless the file is ours to say so. */
	fd = openat(dirfd, name, SAP_INPUT_READ | O_NOFOLLOW | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, SAP_INPUT_READ | O_NOFOLLOW);
	if (fd < 0 && errno == ELOOP)
		return sap_err_set(err, SAP_ECHANGED, "%s has become a symbolic link", name);
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot open %s", name);
	*out = fd;
	return 0;
}

int sap_input_file_from_fd(int fd, struct sap_input_file *out, struct sap_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at an open file");
	if (!S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_EUNSUPPORTED, "no regular file");
	fill(out, fd, &st);
	return 0;
}

void sap_input_file_from_stat(int fd, const struct stat *st, struct sap_input_file *out)
{
	fill(out, fd, st);
}

int sap_input_file_open_at(int dirfd, const char *name, struct sap_input_file *out,
			   struct sap_err *err)
{
	int sap_cleanup_fd fd = -1;
	int r = sap_input_name_open(dirfd, name, &fd, err);

	if (r == 0)
		r = sap_input_file_from_fd(fd, out, err);
	if (r == 0)
		sap_steal_fd(&fd);
	return r;
}

void sap_input_file_close(struct sap_input_file *file)
{
	sap_close_fd(&file->fd);
}

/* Reads to the end of the file, or to one byte more than it should have. */
static int read_all(const struct sap_input_file *file, unsigned char *p, uint64_t *got)
{
	uint64_t max = file->size + 1;

	*got = 0;
	while (*got < max) {
		uint64_t ask = max - *got < READ_CHUNK ? max - *got : READ_CHUNK;
		ssize_t r = read(file->fd, p + *got, ask);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		*got += (uint64_t)r;
		/* Short, and all of the file: its end, without asking again. */
		if (r == 0 || ((uint64_t)r < ask && *got == file->size))
			break;
	}
	return 0;
}

int sap_input_read(struct sap_input *input, struct sap_str path, uint64_t max,
		   struct sap_arena *arena, struct sap_span *out, struct sap_err *err)
{
	struct sap_input_file file = { .fd = -1 };
	uint64_t got = 0;
	unsigned char *p;
	int rc = sap_input_file_open(input, path, &file, err);

	if (rc < 0)
		return rc;
	if (file.size > max || file.size > INT64_MAX - 1) {
		sap_input_file_close(&file);
		return sap_err_set(err, SAP_ELIMIT,
				   "%.*s has %llu bytes, more than the %llu that are read",
				   SAP_FMT(path), (unsigned long long)file.size,
				   (unsigned long long)max);
	}
	p = sap_arena_alloc(arena, file.size + 1);
	rc = p ? read_all(&file, p, &got) : -ENOMEM;
	sap_input_file_close(&file);
	if (rc < 0)
		return sap_input_fail(rc, "cannot read", path, err);
	if (got != file.size)
		return sap_err_set(err, SAP_ECHANGED, "%.*s changed its size while it was read",
				   SAP_FMT(path));
	*out = sap_span_of(p, got);
	return 0;
}

static bool has(struct sap_input *input, struct sap_str path, mode_t type)
{
	char cpath[SAP_PATH_MAX];
	struct stat st;
	int sap_cleanup_fd fd = -1;

	if (sap_input_cpath(path, cpath) == 0)
		fd = sap_input_resolve(input, cpath, SAP_INPUT_LOOK);
	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

bool sap_input_has_file(struct sap_input *input, struct sap_str path)
{
	return has(input, path, S_IFREG);
}

bool sap_input_has_dir(struct sap_input *input, struct sap_str path)
{
	return has(input, path, S_IFDIR);
}
