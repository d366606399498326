/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/opens.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"

#define NS 1000000000LL

enum { READ_BYTES = 16384, READS_MAX = 256, WAYS = 4, FOLDER_TEXT = 64 };

struct sap_opens {
	int fd;
	pid_t self, parent;
	uint64_t seed; /* so that nobody can choose names that hide each other */
	uint32_t turn;
	uint64_t kept[SAP_OBSERVE_OPENS_KEPT]; /* hashes; sets of WAYS; 0: empty */
	_Alignas(struct fanotify_event_metadata) char events[READ_BYTES];
};

int sap_opens_new(struct sap_opens **out, struct sap_err *err)
{
	struct sap_opens *o = calloc(1, sizeof(*o));
	int e;

	if (!o)
		return sap_err_nomem(err);
	o->self = getpid();
	o->parent = getppid();
	if (getrandom(&o->seed, sizeof(o->seed), GRND_NONBLOCK) < 0)
		o->seed = (uint64_t)(uintptr_t)o ^ (uint64_t)time(NULL);
	/* FAN_NONBLOCK; the descriptors of events: no waiting in an open, no time stamps. */
	o->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK,
			      O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
	e = errno;
	if (o->fd >= 0) {
		*out = o;
		return 0;
	}
	free(o);
	if (e == EPERM)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "not permitted; root or CAP_SYS_ADMIN would help");
	if (e == ENOSYS || e == EINVAL)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "this kernel has no fanotify (CONFIG_FANOTIFY)");
	return sap_err_sys(err, e, "fanotify_init");
}

void sap_opens_free(struct sap_opens *o)
{
	if (!o)
		return;
	close(o->fd);
	free(o);
}

/* " on PATH", for people. */
static const char *of_folder(int dirfd, char text[FOLDER_TEXT])
{
	char link[32];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	(void)snprintf(text, FOLDER_TEXT, " on ");
	n = readlink(link, text + 4, FOLDER_TEXT - 5);
	text[n > 0 ? 4 + n : 0] = '\0';
	return text;
}

int sap_opens_mount(struct sap_opens *o, int dirfd, struct sap_err *err)
{
	char name[FOLDER_TEXT];
	int e;

	/* "." and not NULL: that would refuse descriptors with O_PATH. */
	if (fanotify_mark(o->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, dirfd, ".") == 0)
		return 0;
	e = errno;
	/* Before 4.20; file systems without an identity of their own; subvolumes. */
	if (fanotify_mark(o->fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, dirfd, ".") < 0)
		return sap_err_sys(err, errno, "opens%s cannot be watched", of_folder(dirfd, name));
	return sap_err_sys(err, e,
			   "opens%s: those in other mount namespaces are not seen, the kernel "
			   "refuses to watch the file system",
			   of_folder(dirfd, name));
}

int sap_opens_fd(const struct sap_opens *o)
{
	return o->fd;
}

/* ---- each once -------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	__extension__ unsigned __int128 product =
		(unsigned __int128)(h ^ v) * 0xd6e8feb86659fd93ULL;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash(const struct sap_opens *o, int32_t pid, struct sap_str path)
{
	uint64_t h = mix(o->seed, (uint64_t)(uint32_t)pid << 32 ^ path.n ^ 0x9e3779b97f4a7c15ULL);

	while (path.n) {
		uint64_t word = 0;
		size_t n = path.n < sizeof(word) ? path.n : sizeof(word);

		memcpy(&word, path.p, n);
		h = mix(h + o->seed, word);
		path = sap_str_skip(path, n);
	}
	return h ? h : 1;
}

/* Whether it is there; puts it there, in the place of another if need be. */
static bool seen_before(struct sap_opens *o, uint64_t h)
{
	uint64_t *set = &o->kept[h & (SAP_OBSERVE_OPENS_KEPT - 1) & ~(uint64_t)(WAYS - 1)];
	unsigned free_way = WAYS;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i] == h)
			return true;
		if (set[i] == 0 && free_way == WAYS)
			free_way = i;
	}
	set[free_way < WAYS ? free_way : o->turn++ % WAYS] = h;
	return false;
}

/* ---- events ----------------------------------------------------------------------------- */

static bool is_elf(int fd)
{
	char magic[4];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, "\177ELF", sizeof(magic)) == 0;
}

static int put(struct sap_opens *o, int fd, int32_t pid, struct sap_wire_out *out, uint64_t *lost,
	       struct sap_err *err)
{
	char link[32], path[SAP_PATH_MAX + 1];
	struct sap_wire_open message = { .pid = pid };
	struct timespec now;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n <= 0 || n > (ssize_t)SAP_PATH_MAX) {
		++*lost;
		return 0;
	}
	if (seen_before(o, hash(o, pid, (struct sap_str){ path, (size_t)n })) || is_elf(fd))
		return 0;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	message.when = (int64_t)now.tv_sec * NS + now.tv_nsec;
	message.n_path = (uint32_t)n;
	return sap_wire_put(out, SAP_WIRE_OPEN, &message, offsetof(struct sap_wire_open, path),
			    path, message.n_path, err);
}

/* One read's worth. After a failure the descriptors of the rest are closed all the same. */
static int put_all(struct sap_opens *o, size_t n, struct sap_wire_out *out, uint64_t *lost,
		   struct sap_err *err)
{
	struct fanotify_event_metadata e;
	size_t at = 0;
	int r = 0;

	while (n - at >= sizeof(e)) {
		int sap_cleanup_fd fd = -1;

		memcpy(&e, o->events + at, sizeof(e));
		if (e.event_len < sizeof(e) || e.event_len > n - at)
			return r < 0 ? r : sap_err_format(err, at, "fanotify: not an event");
		at += e.event_len;
		if (e.vers != FANOTIFY_METADATA_VERSION)
			return sap_err_set(err, SAP_EUNSUPPORTED, "fanotify: version %u", e.vers);
		fd = e.fd;
		if (e.mask & FAN_Q_OVERFLOW)
			++*lost;
		else if (fd >= 0 && r == 0 && e.pid > 0 && e.pid != o->self && e.pid != o->parent)
			r = put(o, fd, e.pid, out, lost, err);
	}
	return r;
}

int sap_opens_read(struct sap_opens *o, struct sap_wire_out *out, uint64_t *lost,
		   struct sap_err *err)
{
	for (unsigned left = READS_MAX; left; left--) {
		ssize_t n = read(o->fd, o->events, sizeof(o->events));
		int r;

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		/* The event's file could not be opened (EMFILE, ETXTBSY ...): it is gone. */
		if (n <= 0) {
			++*lost;
			continue;
		}
		r = put_all(o, (size_t)n, out, lost, err);
		if (r < 0)
			return r;
	}
	return 0;
}
