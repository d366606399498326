/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of /proc: reading it, and the parsers of its lines (proc(5), kernel's
 * Documentation/filesystems/proc.rst, net/ipv4/tcp_ipv4.c and net/unix/af_unix.c for the lists
 * of sockets).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "observe/snapshot_int.h"

/* ---- reading ----------------------------------------------------------------------------- */

int sap_proc_read(int dir, const char *name, char *buf, size_t cap, struct sap_str *out)
{
	sap_cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t r;

	if (fd < 0)
		return -errno;
	do
		r = read(fd, buf, cap);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*out = (struct sap_str){ buf, (size_t)r };
	return 0;
}

int sap_proc_link(int dir, const char *name, char *buf, size_t cap, struct sap_str *out)
{
	ssize_t r = readlinkat(dir, name, buf, cap);

	if (r < 0)
		return -errno;
	if ((size_t)r == cap)
		return -ENAMETOOLONG;
	*out = (struct sap_str){ buf, (size_t)r };
	return 0;
}

/* Hands out the whole lines of buf[0, *n) and moves the rest to its front. *tail: what is there
 * is the rest of a line that was cut. */
static int whole_lines(char sep, char *buf, size_t *n, bool *tail, sap_proc_line_fn *fn, void *ctx,
		       struct sap_err *err)
{
	char *at = buf, *end = buf + *n, *stop;
	int r = 0;

	while (r == 0 && (stop = memchr(at, sep, (size_t)(end - at)))) {
		if (!*tail)
			r = fn(ctx, (struct sap_str){ at, (size_t)(stop - at) }, false, err);
		*tail = false;
		at = stop + 1;
	}
	if (r == 0 && at == buf && *n == SAP_PROC_BUFFER) {
		if (!*tail)
			r = fn(ctx, (struct sap_str){ buf, *n }, true, err);
		*tail = true;
		at = end;
	}
	*n = (size_t)(end - at);
	memmove(buf, at, *n);
	return r;
}

int sap_proc_lines(int fd, char sep, char *buf, uint64_t max, sap_proc_line_fn *fn, void *ctx,
		   struct sap_err *err)
{
	bool tail = false;
	uint64_t all = 0;
	size_t n = 0;
	int rc;

	for (;;) {
		ssize_t r = read(fd, buf + n, SAP_PROC_BUFFER - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return sap_err_sys(err, errno, "cannot read a list of /proc");
		if (r == 0)
			break;
		n += (size_t)r;
		all += (uint64_t)r;
		rc = whole_lines(sep, buf, &n, &tail, fn, ctx, err);
		if (rc != 0)
			return rc;
		if (all > max)
			return sap_err_set(err, SAP_ELIMIT,
					   "a list of /proc has more than %llu bytes",
					   (unsigned long long)max);
	}
	return n && !tail ? fn(ctx, (struct sap_str){ buf, n }, false, err) : 0;
}

/* ---- numbers ----------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes a hexadecimal number of 1 to 16 digits off *s. */
static bool take_hex(struct sap_str *s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	for (int d; i < s->n && (d = hex_digit(s->p[i])) >= 0; i++) {
		if (i == 16)
			return false;
		v = v << 4 | (unsigned)d;
	}
	*s = sap_str_skip(*s, i);
	*out = v;
	return i > 0;
}

static bool take_decimal(struct sap_str *s, uint64_t *out)
{
	struct sap_str digits = { s->p, 0 };

	while (digits.n < s->n && s->p[digits.n] >= '0' && s->p[digits.n] <= '9')
		digits.n++;
	*s = sap_str_skip(*s, digits.n);
	return sap_str_u64(digits, out);
}

static bool take_char(struct sap_str *s, char c)
{
	if (s->n == 0 || !s->p || s->p[0] != c)
		return false;
	*s = sap_str_skip(*s, 1);
	return true;
}

static void skip_blanks(struct sap_str *s)
{
	while (s->n && s->p[0] == ' ')
		*s = sap_str_skip(*s, 1);
}

/* ---- stat, namespaces, environment ------------------------------------------------------- */

bool sap_proc_stat_parse(struct sap_str text, struct sap_proc_stat *out)
{
	/* Fields by their numbers in proc(5); the state is number 3, the first behind the name. */
	enum { PPID = 4, FLAGS = 9, THREADS = 20, START = 22 };
	const char *open = text.n ? memchr(text.p, '(', text.n) : NULL;
	const char *close = text.n ? memrchr(text.p, ')', text.n) : NULL;
	struct sap_proc_stat st = { 0 };
	struct sap_str rest, word;
	uint64_t v[START + 1] = { 0 };

	if (!open || !close || close < open)
		return false;
	st.comm = (struct sap_str){ open + 1, (size_t)(close - open - 1) };
	rest = sap_str_skip(text, (size_t)(close + 1 - text.p));
	if (!sap_str_word(&rest, &word) || word.n != 1)
		return false;
	st.state = word.p[0];
	for (unsigned i = PPID; i <= START; i++)
		if (!sap_str_word(&rest, &word) ||
		    (!sap_str_u64(word, &v[i]) &&
		     (i == PPID || i == FLAGS || i == THREADS || i == START)))
			return false;
	if (v[PPID] > INT32_MAX)
		return false;
	st.ppid = (int32_t)v[PPID];
	st.flags = v[FLAGS];
	st.threads = v[THREADS];
	st.start = v[START];
	*out = st;
	return true;
}

bool sap_proc_bracket(struct sap_str text, struct sap_str prefix, uint64_t *out)
{
	if (!sap_str_starts(text, prefix))
		return false;
	text = sap_str_skip(text, prefix.n);
	return take_char(&text, '[') && take_decimal(&text, out) && take_char(&text, ']') &&
	       text.n == 0;
}

unsigned sap_proc_preload(struct sap_str entry)
{
	static const struct {
		struct sap_str name;
		unsigned bit;
	} names[] = {
		{ SAP_STR_INIT("LD_PRELOAD="), SAP_ENV_PRELOAD },
		{ SAP_STR_INIT("LD_LIBRARY_PATH="), SAP_ENV_LIBRARY_PATH },
		{ SAP_STR_INIT("LD_AUDIT="), SAP_ENV_AUDIT },
	};

	/* An empty value loads nothing. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (entry.n > names[i].name.n && sap_str_starts(entry, names[i].name))
			return names[i].bit;
	return 0;
}

/* ---- maps -------------------------------------------------------------------------------- */

bool sap_proc_map_parse(struct sap_str line, struct sap_proc_map *out)
{
	struct sap_proc_map m = { 0 };
	uint64_t offset, major, minor;
	struct sap_str s = line;

	if (!take_hex(&s, &m.start) || !take_char(&s, '-') || !take_hex(&s, &m.end) ||
	    !take_char(&s, ' ') || s.n < 5 || s.p[4] != ' ')
		return false;
	m.executable = s.p[2] == 'x';
	s = sap_str_skip(s, 5);
	if (!take_hex(&s, &offset) || !take_char(&s, ' ') || !take_hex(&s, &major) ||
	    !take_char(&s, ':') || !take_hex(&s, &minor) || major > UINT32_MAX ||
	    minor > UINT32_MAX || !take_char(&s, ' ') || !take_decimal(&s, &m.ino))
		return false;
	m.dev = makedev((unsigned)major, (unsigned)minor);
	skip_blanks(&s);
	m.path = s;
	*out = m;
	return true;
}

bool sap_proc_map_counts(const struct sap_proc_map *m)
{
	/* Shared memory inside the kernel that only has a name: no file, whatever maps it. */
	static const struct sap_str memory[] = {
		SAP_STR_INIT("//"),    SAP_STR_INIT("/["),       SAP_STR_INIT("/dev/zero"),
		SAP_STR_INIT("/SYSV"), SAP_STR_INIT("/drm mm "), SAP_STR_INIT("/anon_hugepage"),
		SAP_STR_INIT("/i915"),
	};
	struct sap_str stripped;

	if (!m->executable || m->path.n == 0 || m->path.p[0] != '/')
		return false;
	if (sap_str_starts(m->path, memory[0]))
		return false;
	if (!sap_proc_deleted(m->path, &stripped))
		return true;
	for (size_t i = 1; i < sizeof(memory) / sizeof(memory[0]); i++)
		if (sap_str_starts(stripped, memory[i]) && major(m->dev) == 0 &&
		    (i == 1 || !memchr(stripped.p + 5, '/', stripped.n - 5)))
			return false;
	return true;
}

bool sap_proc_deleted(struct sap_str path, struct sap_str *stripped)
{
	const struct sap_str mark = SAP_STR(" (deleted)");

	if (!sap_str_ends(path, mark))
		return false;
	*stripped = (struct sap_str){ path.p, path.n - mark.n };
	return true;
}

struct sap_str sap_proc_unescape(struct sap_str path, char *out)
{
	size_t n = 0;

	while (path.n) {
		bool line_end = sap_str_starts(path, SAP_STR("\\012"));

		out[n++] = line_end ? '\n' : path.p[0];
		path = sap_str_skip(path, line_end ? 4 : 1);
	}
	return (struct sap_str){ out, n };
}

/* ---- sockets ----------------------------------------------------------------------------- */

/* "0100007F:0277": the address is printed in words of 32 bits, each as the number that its bytes
 * (in network order) are in this machine's order. */
static bool take_address(struct sap_str word, bool v6, struct sap_proc_socket *s)
{
	const unsigned words = v6 ? 4 : 1;
	uint64_t v;

	if (word.n != words * 8 + 5)
		return false;
	for (unsigned i = 0; i < words; i++) {
		struct sap_str part = { word.p + (size_t)i * 8, 8 };
		uint32_t w;

		if (!take_hex(&part, &v) || part.n)
			return false;
		w = (uint32_t)v;
		memcpy(s->addr + (size_t)i * 4, &w, sizeof(w));
	}
	word = sap_str_skip(word, (size_t)words * 8);
	if (!take_char(&word, ':') || !take_hex(&word, &v) || word.n)
		return false;
	s->port = (uint16_t)v;
	return true;
}

/* sl local remote state queues timer retransmits uid timeout inode ... */
static bool inet_parse(struct sap_str line, struct sap_proc_socket *s)
{
	enum { LOCAL = 1, STATE = 3, INODE = 9 };
	const bool udp = s->net == SAP_NET_UDP || s->net == SAP_NET_UDP6;
	struct sap_str words[INODE + 1];

	for (unsigned i = 0; i <= INODE; i++) {
		if (!sap_str_word(&line, &words[i]))
			return false;
		/* TCP_LISTEN; TCP_CLOSE, which for UDP means: not connected. */
		if (i == STATE && !(udp ? sap_str_is(words[i], "07") : sap_str_is(words[i], "0A")))
			return false;
	}
	return take_address(words[LOCAL], s->net == SAP_NET_TCP6 || s->net == SAP_NET_UDP6, s) &&
	       (!udp || s->port) && sap_str_u64(words[INODE], &s->ino) && s->ino;
}

/* num: refcount protocol flags type state inode path. The path may hold blanks. */
static bool unix_parse(struct sap_str line, struct sap_proc_socket *s)
{
	enum { FLAGS = 3, TYPE = 4, STATE = 5 };
	const uint64_t accepts = 0x10000; /* __SO_ACCEPTCON */
	struct sap_str words[STATE + 1];
	uint64_t flags, type;

	for (unsigned i = 0; i <= STATE; i++)
		if (!sap_str_word(&line, &words[i]))
			return false;
	if (!take_hex(&words[FLAGS], &flags) || !(flags & accepts) ||
	    !take_hex(&words[TYPE], &type) || (type != 1 && type != 5)) /* STREAM, SEQPACKET */
		return false;
	skip_blanks(&line);
	if (!take_decimal(&line, &s->ino) || s->ino == 0)
		return false;
	take_char(&line, ' ');
	s->path = line;
	return true;
}

bool sap_proc_socket_parse(struct sap_str line, enum sap_proc_net net, struct sap_proc_socket *out)
{
	struct sap_proc_socket s = { .net = (uint8_t)net };

	if (net == SAP_NET_UNIX ? !unix_parse(line, &s) : !inet_parse(line, &s))
		return false;
	*out = s;
	return true;
}

enum sap_exposure sap_proc_socket_exposure(const struct sap_proc_socket *s)
{
	static const unsigned char loopback[16] = { [15] = 1 };
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool local;

	if (s->net == SAP_NET_UNIX)
		local = true;
	else if (s->net == SAP_NET_TCP || s->net == SAP_NET_UDP)
		local = s->addr[0] == 127;
	else
		local = memcmp(s->addr, loopback, sizeof(loopback)) == 0 ||
			(memcmp(s->addr, mapped, sizeof(mapped)) == 0 && s->addr[12] == 127);
	return local ? SAP_EXPOSURE_LOCAL : SAP_EXPOSURE_NETWORK;
}

struct sap_str sap_proc_socket_text(const struct sap_proc_socket *s, char buf[static 80])
{
	const bool v6 = s->net == SAP_NET_TCP6 || s->net == SAP_NET_UDP6;
	const bool udp = s->net == SAP_NET_UDP || s->net == SAP_NET_UDP6;
	char addr[INET6_ADDRSTRLEN] = "";
	int n;

	if (s->net == SAP_NET_UNIX)
		return s->path.n ? s->path : SAP_STR("unix");
	inet_ntop(v6 ? AF_INET6 : AF_INET, s->addr, addr, sizeof(addr));
	n = snprintf(buf, 80, v6 ? "[%s]:%u/%s" : "%s:%u/%s", addr, (unsigned)s->port,
		     udp ? "udp" : "tcp");
	return (struct sap_str){ buf, n > 0 ? (size_t)n : 0 };
}
