/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes headers and databases of rpm in memory, small enough to be damaged at every byte.
 */
#ifndef SAP_TESTS_RPM_BUILD_H
#define SAP_TESTS_RPM_BUILD_H

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "check.h"

/* ---- headers ---------------------------------------------------------------------------- */

struct rpm_build {
	struct sap_buf index;
	struct sap_buf data;
	uint32_t tags;
};

static inline void build_be(struct sap_buf *buf, uint64_t v, unsigned bytes)
{
	while (bytes--)
		sap_buf_putc(buf, (char)(v >> 8 * bytes));
}

static inline void build_le(struct sap_buf *buf, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		sap_buf_putc(buf, (char)(v >> 8 * i));
}

static inline void build_init(struct rpm_build *build)
{
	*build = (struct rpm_build){ 0 };
	sap_buf_init(&build->index, 1 << 20);
	sap_buf_init(&build->data, 1 << 24);
}

static inline void build_entry(struct rpm_build *build, uint32_t tag, uint32_t type, uint32_t count)
{
	build_be(&build->index, tag, 4);
	build_be(&build->index, type, 4);
	build_be(&build->index, build->data.n, 4);
	build_be(&build->index, count, 4);
	build->tags++;
}

static inline void build_text(struct rpm_build *build, uint32_t tag, const char *text)
{
	build_entry(build, tag, 6, 1);
	sap_buf_put(&build->data, text, strlen(text) + 1);
}

/* texts: separated by '|' */
static inline void build_texts(struct rpm_build *build, uint32_t tag, const char *texts)
{
	uint32_t count = 1;

	for (const char *p = texts; *p; p++)
		count += *p == '|';
	build_entry(build, tag, 8, count);
	for (const char *p = texts; *p; p++)
		sap_buf_putc(&build->data, *p == '|' ? '\0' : *p);
	sap_buf_putc(&build->data, '\0');
}

/* numbers of 1, 2, 4 or 8 bytes */
static inline void build_numbers(struct rpm_build *build, uint32_t tag, unsigned bytes,
				 const uint32_t *v, uint32_t n)
{
	static const uint32_t types[] = { 0, 2, 3, 0, 4, 0, 0, 0, 5 };

	build_entry(build, tag, bytes == 1 ? 1 : types[bytes], n);
	for (uint32_t i = 0; i < n; i++)
		build_be(&build->data, v[i], bytes);
}

#define BUILD_NUMBERS(build, tag, bytes, ...)                               \
	build_numbers(build, tag, bytes, (const uint32_t[]){ __VA_ARGS__ }, \
		      sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* The blob; the builder is empty afterwards. */
static inline struct sap_buf build_header(struct rpm_build *build)
{
	struct sap_buf blob;

	sap_buf_init(&blob, 1 << 25);
	build_be(&blob, build->tags, 4);
	build_be(&blob, build->data.n, 4);
	sap_buf_puts(&blob, sap_buf_str(&build->index));
	sap_buf_puts(&blob, sap_buf_str(&build->data));
	sap_buf_clear(&build->index);
	sap_buf_clear(&build->data);
	return blob;
}

/* A package with a bit of everything. */
static inline struct sap_buf build_sample(void)
{
	struct rpm_build b;

	build_init(&b);
	build_entry(&b, 63, 7, 16);
	sap_buf_put(&b.data, "0123456789abcdef", 16);
	build_text(&b, 1000, "foo");
	build_text(&b, 1001, "1.0");
	build_text(&b, 1002, "2");
	BUILD_NUMBERS(&b, 1003, 4, 7);
	BUILD_NUMBERS(&b, 1008, 4, 1700000000);
	BUILD_NUMBERS(&b, 1009, 4, 1234);
	build_text(&b, 1014, "MIT");
	build_entry(&b, 1016, 9, 2);
	sap_buf_put(&b.data, "System\0Systeme", 15);
	build_text(&b, 1022, "x86_64");
	build_text(&b, 1044, "foo-src-1.0-2.src.rpm");
	build_texts(&b, 1049, "bar|libc.so.6(GLIBC_2.34)(64bit)");
	build_texts(&b, 1050, "2:1-1|");
	BUILD_NUMBERS(&b, 1048, 4, 12, 0);
	build_texts(&b, 1117, "conf|doc|gone|dir|bin|ghost");
	build_texts(&b, 1118, "/etc/|/usr/bin/");
	BUILD_NUMBERS(&b, 1116, 4, 0, 0, 0, 0, 1, 1);
	BUILD_NUMBERS(&b, 1030, 2, 0100644, 0100644, 0100644, 040755, 0100755, 0100644);
	BUILD_NUMBERS(&b, 1037, 4, 1, 2, 0, 0, 0, 64);
	BUILD_NUMBERS(&b, 1029, 1, 0, 0, 2, 0, 0, 0);
	build_texts(&b, 1035,
		    "00112233445566778899aabbccddeeff|||||ffeeddccbbaa99887766554433221100");
	return build_header(&b);
}

#define BUILD_SAMPLE_TEXT                                       \
	"P\tfoo\t7:1.0-2\tx86_64\tfoo-src\t7:1.0-"              \
	"2\tMIT\t\t\tSystem\t\t1700000000\t1234\tunknown\n"     \
	"R\trequires\tbar >= 2:1-1\n"                           \
	"R\trequires\tlibc.so.6(GLIBC_2.34)(64bit)\n"           \
	"F\t/etc/conf\t1\t1:00112233445566778899aabbccddeeff\n" \
	"F\t/etc/doc\t4\t0:\n"                                  \
	"F\t/usr/bin/bin\t0\t0:\n"                              \
	"F\t/usr/bin/ghost\t2\t1:ffeeddccbbaa99887766554433221100\n"

/* ---- databases -------------------------------------------------------------------------- */

static inline uint32_t build_adler(const unsigned char *p, size_t n)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < n; i++) {
		a = (a + p[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static inline void build_set32(struct sap_buf *buf, size_t at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		buf->p[at + i] = (unsigned char)(v >> 8 * i);
}

static inline void build_pad(struct sap_buf *buf, size_t n)
{
	while (buf->n < n)
		sap_buf_putc(buf, '\0');
}

/* An ndb database with count copies of a blob. */
static inline struct sap_buf build_ndb(struct sap_str blob, uint32_t count)
{
	uint32_t blocks = (uint32_t)((16 + blob.n + 12 + 15) / 16);
	struct sap_buf db;

	sap_buf_init(&db, 1 << 26);
	sap_buf_put(&db, "RpmP", 4);
	build_le(&db, 0, 4);
	build_le(&db, 1, 4);
	build_le(&db, 1, 4);
	build_le(&db, count + 1, 4);
	build_pad(&db, 32);
	for (uint32_t i = 0; i < 254; i++) {
		sap_buf_put(&db, "Slot", 4);
		build_le(&db, i < count ? i + 1 : 0, 4);
		build_le(&db, i < count ? 256 + i * blocks : 0, 4);
		build_le(&db, i < count ? blocks : 0, 4);
	}
	for (uint32_t i = 0; i < count; i++) {
		size_t start = db.n;

		sap_buf_put(&db, "BlbS", 4);
		build_le(&db, i + 1, 4);
		build_le(&db, 1, 4);
		build_le(&db, blob.n, 4);
		sap_buf_puts(&db, blob);
		build_pad(&db, start + blocks * 16 - 12);
		build_le(&db, build_adler(db.p + start, db.n - start), 4);
		build_le(&db, blob.n, 4);
		sap_buf_put(&db, "BlbE", 4);
	}
	return db;
}

enum { BUILD_PAGE = 512 };

/* A little-endian Berkeley DB hash of pages of 512 bytes: page 1 has the counter, package 1
 * on overflow pages from page 2 on. */
static inline struct sap_buf build_bdb(struct sap_str blob)
{
	uint32_t room = BUILD_PAGE - 26, chain = (uint32_t)((blob.n + room - 1) / room);
	struct sap_buf db;

	sap_buf_init(&db, 1 << 26);
	build_pad(&db, BUILD_PAGE);
	build_set32(&db, 12, 0x061561);
	build_set32(&db, 16, 9);
	build_set32(&db, 20, BUILD_PAGE);
	db.p[25] = 8;
	build_set32(&db, 32, 1 + chain);
	build_pad(&db, 2 * BUILD_PAGE);
	unsigned char *page = db.p + BUILD_PAGE;
	static const uint16_t at[] = { 507, 502, 497, 485 };

	page[8] = 1;
	page[20] = 4;
	page[25] = 13;
	for (unsigned i = 0; i < 4; i++) {
		page[26 + 2 * i] = (unsigned char)at[i];
		page[27 + 2 * i] = (unsigned char)(at[i] >> 8);
		page[at[i]] = 1;
	}
	page[502 + 1] = 1; /* the counter's value */
	page[497 + 1] = 1; /* package 1 */
	page[485] = 3;
	build_set32(&db, BUILD_PAGE + 485 + 4, 2);
	build_set32(&db, BUILD_PAGE + 485 + 8, (uint32_t)blob.n);
	for (uint32_t i = 0; i < chain; i++) {
		size_t start = db.n, n = blob.n - i * room < room ? blob.n - i * room : room;

		build_pad(&db, start + 26);
		build_set32(&db, start + 8, 2 + i);
		build_set32(&db, start + 16, i + 1 < chain ? 3 + i : 0);
		db.p[start + 22] = (unsigned char)n;
		db.p[start + 23] = (unsigned char)(n >> 8);
		db.p[start + 25] = 7;
		sap_buf_put(&db, blob.p + i * room, n);
		build_pad(&db, start + BUILD_PAGE);
	}
	return db;
}

/* ---- files ------------------------------------------------------------------------------ */

static inline bool slurp(const char *path, struct sap_buf *out)
{
	char chunk[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	sap_buf_init(out, 1 << 26);
	if (fd < 0)
		return false;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		sap_buf_put(out, chunk, (size_t)n);
	close(fd);
	return n == 0;
}

static inline void put_file(const char *dir, const char *path, struct sap_str bytes)
{
	char name[600];
	int fd;

	snprintf(name, sizeof(name), "%s%s", dir, path);
	for (char *p = name + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(name, 0755);
	}
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (CHECK(fd >= 0)) {
		CHECK_INT(write(fd, bytes.p, bytes.n), bytes.n);
		close(fd);
	}
}

/* A database made by SQL; ?1 is the blob. */
static inline struct sap_buf build_sqlite(const char *sql, struct sap_str blob)
{
	sqlite3_int64 n = 0;
	sqlite3 *db = NULL;
	unsigned char *bytes;
	struct sap_buf buf;
	const char *rest = sql;

	sap_buf_init(&buf, 1 << 26);
	sqlite3_open(":memory:", &db);
	sqlite3_exec(db, "PRAGMA page_size=512", NULL, NULL, NULL);
	while (*rest) {
		sqlite3_stmt *stmt = NULL;

		if (!CHECK_INT(sqlite3_prepare_v2(db, rest, -1, &stmt, &rest), SQLITE_OK)) {
			fprintf(stderr, "  %s: %s\n", sqlite3_errmsg(db), sql);
			break;
		}
		if (sqlite3_bind_parameter_count(stmt))
			sqlite3_bind_blob(stmt, 1, blob.p, (int)blob.n, SQLITE_STATIC);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			continue;
		sqlite3_finalize(stmt);
	}
	bytes = sqlite3_serialize(db, "main", &n, 0);
	sap_buf_put(&buf, bytes, (size_t)n);
	sqlite3_free(bytes);
	sqlite3_close(db);
	return buf;
}

#endif
