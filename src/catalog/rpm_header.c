/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "catalog/rpm_int.h"

enum {
	TYPE_CHAR = 1,
	TYPE_INT8,
	TYPE_INT16,
	TYPE_INT32,
	TYPE_INT64,
	TYPE_STRING,
	TYPE_BIN,
	TYPE_STRING_ARRAY,
	TYPE_I18NSTRING,
};

enum { INTRO = 8, ENTRY = 16 };

/* Flags of a relation. */
enum { SENSE_LESS = 2, SENSE_GREATER = 4, SENSE_EQUAL = 8 };

/* Where the value of a tag goes, plus one; 0: not kept. */
enum { FIRST_OLD = 1000, FIRST_NEW = 5000 };

static const uint8_t old_tags[] = {
	[1000 - FIRST_OLD] = 1 + SAP_RPM_NAME,
	[1001 - FIRST_OLD] = 1 + SAP_RPM_VERSION,
	[1002 - FIRST_OLD] = 1 + SAP_RPM_RELEASE,
	[1003 - FIRST_OLD] = 1 + SAP_RPM_EPOCH,
	[1008 - FIRST_OLD] = 1 + SAP_RPM_INSTALLTIME,
	[1009 - FIRST_OLD] = 1 + SAP_RPM_SIZE,
	[1011 - FIRST_OLD] = 1 + SAP_RPM_VENDOR,
	[1014 - FIRST_OLD] = 1 + SAP_RPM_LICENSE,
	[1015 - FIRST_OLD] = 1 + SAP_RPM_PACKAGER,
	[1016 - FIRST_OLD] = 1 + SAP_RPM_GROUP,
	[1022 - FIRST_OLD] = 1 + SAP_RPM_ARCH,
	[1027 - FIRST_OLD] = 1 + SAP_RPM_OLDFILENAMES,
	[1029 - FIRST_OLD] = 1 + SAP_RPM_FILESTATES,
	[1030 - FIRST_OLD] = 1 + SAP_RPM_FILEMODES,
	[1035 - FIRST_OLD] = 1 + SAP_RPM_FILEDIGESTS,
	[1037 - FIRST_OLD] = 1 + SAP_RPM_FILEFLAGS,
	[1044 - FIRST_OLD] = 1 + SAP_RPM_SOURCERPM,
	[1047 - FIRST_OLD] = 1 + SAP_RPM_PROVIDES,
	[1048 - FIRST_OLD] = 1 + SAP_RPM_REQUIRES + 1,
	[1049 - FIRST_OLD] = 1 + SAP_RPM_REQUIRES,
	[1050 - FIRST_OLD] = 1 + SAP_RPM_REQUIRES + 2,
	[1053 - FIRST_OLD] = 1 + SAP_RPM_CONFLICTS + 1,
	[1054 - FIRST_OLD] = 1 + SAP_RPM_CONFLICTS,
	[1055 - FIRST_OLD] = 1 + SAP_RPM_CONFLICTS + 2,
	[1112 - FIRST_OLD] = 1 + SAP_RPM_PROVIDES + 1,
	[1113 - FIRST_OLD] = 1 + SAP_RPM_PROVIDES + 2,
	[1116 - FIRST_OLD] = 1 + SAP_RPM_DIRINDEXES,
	[1117 - FIRST_OLD] = 1 + SAP_RPM_BASENAMES,
	[1118 - FIRST_OLD] = 1 + SAP_RPM_DIRNAMES,
};

static const uint8_t new_tags[] = {
	[5009 - FIRST_NEW] = 1 + SAP_RPM_LONGSIZE,
	[5011 - FIRST_NEW] = 1 + SAP_RPM_FILEDIGESTALGO,
	[5046 - FIRST_NEW] = 1 + SAP_RPM_RECOMMENDS,
	[5047 - FIRST_NEW] = 1 + SAP_RPM_RECOMMENDS + 2,
	[5048 - FIRST_NEW] = 1 + SAP_RPM_RECOMMENDS + 1,
	[5049 - FIRST_NEW] = 1 + SAP_RPM_SUGGESTS,
	[5050 - FIRST_NEW] = 1 + SAP_RPM_SUGGESTS + 2,
	[5051 - FIRST_NEW] = 1 + SAP_RPM_SUGGESTS + 1,
	[5096 - FIRST_NEW] = 1 + SAP_RPM_MODULARITYLABEL,
};

/* -1: not kept. */
static int slot_of(uint32_t tag)
{
	if (tag >= FIRST_NEW)
		return tag - FIRST_NEW < sizeof(new_tags) ? new_tags[tag - FIRST_NEW] - 1 : -1;
	if (tag >= FIRST_OLD)
		return tag - FIRST_OLD < sizeof(old_tags) ? old_tags[tag - FIRST_OLD] - 1 : -1;
	return -1;
}

static bool is_number_slot(int slot)
{
	switch (slot) {
	case SAP_RPM_EPOCH:
	case SAP_RPM_SIZE:
	case SAP_RPM_LONGSIZE:
	case SAP_RPM_INSTALLTIME:
	case SAP_RPM_REQUIRES + 1:
	case SAP_RPM_PROVIDES + 1:
	case SAP_RPM_CONFLICTS + 1:
	case SAP_RPM_RECOMMENDS + 1:
	case SAP_RPM_SUGGESTS + 1:
	case SAP_RPM_DIRINDEXES:
	case SAP_RPM_FILEFLAGS:
	case SAP_RPM_FILEMODES:
	case SAP_RPM_FILEDIGESTALGO:
	case SAP_RPM_FILESTATES:
		return true;
	default:
		return false;
	}
}

/* Bytes of one number of that type; 0 for other types. */
static uint32_t number_size(uint32_t type)
{
	switch (type) {
	case TYPE_CHAR:
	case TYPE_INT8:
		return 1;
	case TYPE_INT16:
		return 2;
	case TYPE_INT32:
		return 4;
	case TYPE_INT64:
		return 8;
	default:
		return 0;
	}
}

static bool value_of(struct sap_span data, int slot, uint32_t type, uint32_t off, uint32_t count,
		     struct sap_rpm_value *out)
{
	struct sap_span rest;
	struct sap_str first;

	if (!count || off >= data.n || !sap_span_sub(data, off, data.n - off, &rest))
		return false;
	if (is_number_slot(slot)) {
		uint32_t size = number_size(type);

		if (!size || (uint64_t)count * size > rest.n)
			return false;
	} else {
		if (type != TYPE_STRING && type != TYPE_STRING_ARRAY && type != TYPE_I18NSTRING)
			return false;
		/* Every text has at least its NUL. */
		if (count > rest.n || !sap_span_cstr(rest, 0, &first))
			return false;
		if (slot < SAP_RPM_REQUIRES && first.n > SAP_RPM_TEXT_MAX)
			return false;
	}
	*out = (struct sap_rpm_value){ .data = rest, .count = count, .type = (uint8_t)type };
	return true;
}

int sap_rpm_header_parse(struct sap_span blob, struct sap_rpm_header *out, struct sap_err *fault,
			 struct sap_err *err)
{
	struct sap_rpm_header header = { 0 };
	struct sap_span index, data;
	uint32_t il, dl;

	if (!sap_span_u32(blob, 0, true, &il) || !sap_span_u32(blob, 4, true, &dl))
		return sap_err_set(err, SAP_EFORMAT, "a package header of %llu bytes is too short",
				   (unsigned long long)blob.n);
	if (il > SAP_RPM_TAGS_MAX || dl > SAP_RPM_HEADER_MAX)
		return sap_err_set(err, SAP_ELIMIT,
				   "a package header says %u tags and %u bytes, more than allowed",
				   il, dl);
	if (!sap_span_sub(blob, INTRO, (uint64_t)il * ENTRY, &index) ||
	    !sap_span_sub(blob, INTRO + (uint64_t)il * ENTRY, dl, &data) ||
	    blob.n != INTRO + (uint64_t)il * ENTRY + dl)
		return sap_err_set(err, SAP_EFORMAT,
				   "a package header of %llu bytes says %u tags and %u bytes",
				   (unsigned long long)blob.n, il, dl);
	for (uint32_t i = 0; i < il; i++) {
		uint32_t tag = 0, type = 0, off = 0, count = 0;
		int slot;

		sap_span_u32(index, (uint64_t)i * ENTRY, true, &tag);
		slot = slot_of(tag);
		if (slot < 0)
			continue;
		sap_span_u32(index, (uint64_t)i * ENTRY + 4, true, &type);
		sap_span_u32(index, (uint64_t)i * ENTRY + 8, true, &off);
		sap_span_u32(index, (uint64_t)i * ENTRY + 12, true, &count);
		if (!value_of(data, slot, type, off, count, &header.v[slot]) && !fault->code)
			sap_err_set(fault, SAP_EFORMAT,
				    "tag %u: %u values of type %u at byte %u do not fit", tag,
				    count, type, off);
	}
	*out = header;
	return 0;
}

struct sap_rpm_texts sap_rpm_texts(const struct sap_rpm_header *header, enum sap_rpm_slot slot)
{
	return (struct sap_rpm_texts){ .rest = header->v[slot].data,
				       .left = header->v[slot].count };
}

bool sap_rpm_texts_next(struct sap_rpm_texts *texts, struct sap_str *out)
{
	if (!texts->left || !sap_span_cstr(texts->rest, 0, out)) {
		texts->left = 0;
		return false;
	}
	texts->left--;
	texts->rest.p += out->n + 1;
	texts->rest.n -= out->n + 1;
	return true;
}

struct sap_str sap_rpm_text(const struct sap_rpm_header *header, enum sap_rpm_slot slot)
{
	struct sap_rpm_texts texts = sap_rpm_texts(header, slot);
	struct sap_str text = { 0 };

	/* Some builders write out what rpm prints for a missing tag. */
	if (!sap_rpm_texts_next(&texts, &text) || !text.n || sap_str_is(text, "(none)"))
		return (struct sap_str){ 0 };
	return text;
}

bool sap_rpm_number(const struct sap_rpm_header *header, enum sap_rpm_slot slot, uint32_t index,
		    uint64_t *out)
{
	const struct sap_rpm_value *v = &header->v[slot];
	uint64_t n64;
	uint32_t n32;
	uint16_t n16;
	uint8_t n8;

	if (index >= v->count)
		return false;
	switch (v->type) {
	case TYPE_INT64:
		if (!sap_span_u64(v->data, (uint64_t)index * 8, true, &n64))
			return false;
		*out = n64;
		return true;
	case TYPE_INT32:
		if (!sap_span_u32(v->data, (uint64_t)index * 4, true, &n32))
			return false;
		*out = n32;
		return true;
	case TYPE_INT16:
		if (!sap_span_u16(v->data, (uint64_t)index * 2, true, &n16))
			return false;
		*out = n16;
		return true;
	default:
		if (!sap_span_u8(v->data, index, &n8))
			return false;
		*out = n8;
		return true;
	}
}

/* ---- the package record ----------------------------------------------------------------- */

/* "[epoch:]version-release" */
static bool make_evr(struct sap_arena *arena, uint64_t epoch, struct sap_str version,
		     struct sap_str release, struct sap_str *out)
{
	char digits[20];
	size_t n = 0, at = 0;
	char *p;

	for (; epoch; epoch /= 10)
		digits[n++] = (char)('0' + epoch % 10);
	p = sap_arena_alloc(arena, n + 1 + version.n + 1 + release.n);
	if (!p)
		return false;
	if (n) {
		while (n)
			p[at++] = digits[--n];
		p[at++] = ':';
	}
	memcpy(p + at, version.p, version.n);
	at += version.n;
	if (release.n) {
		p[at++] = '-';
		memcpy(p + at, release.p, release.n);
		at += release.n;
	}
	*out = (struct sap_str){ p, at };
	return true;
}

/* Cuts s at its last sep. */
static bool cut_last(struct sap_str s, char sep, struct sap_str *head, struct sap_str *tail)
{
	const char *at = s.n ? memrchr(s.p, sep, s.n) : NULL;

	if (!at)
		return false;
	*head = (struct sap_str){ s.p, (size_t)(at - s.p) };
	*tail = sap_str_skip(s, head->n + 1);
	return head->n && tail->n;
}

/* SOURCERPM is "name-version-release.src.rpm" and has no epoch. The epoch of the source
 * package is in practice the one that its binary packages carry, so that one is put in front. */
static bool make_source(struct sap_arena *arena, struct sap_str file, uint64_t epoch,
			struct sap_rec_package *rec, struct sap_err *fault)
{
	struct sap_str stem = file, rest, version, release;

	if (!file.n)
		return true;
	if (sap_str_ends(stem, SAP_STR(".src.rpm")))
		stem.n -= strlen(".src.rpm");
	else if (sap_str_ends(stem, SAP_STR(".nosrc.rpm")))
		stem.n -= strlen(".nosrc.rpm");
	else
		stem.n = 0;
	if (!cut_last(stem, '-', &rest, &release) || !cut_last(rest, '-', &rec->source, &version)) {
		rec->source = (struct sap_str){ 0 };
		if (!fault->code)
			sap_err_set(fault, SAP_EFORMAT, "\"%.*s\" is no name of a source package",
				    SAP_FMT(file));
		return true;
	}
	return make_evr(arena, epoch, version, release, &rec->source_version);
}

/* "name", or "name op version" as rpm prints it. */
static bool make_relation(struct sap_arena *arena, struct sap_str name, uint64_t flags,
			  struct sap_str version, struct sap_str *out)
{
	size_t at = name.n;
	char *p;

	if (!version.n || !(flags & (SENSE_LESS | SENSE_GREATER | SENSE_EQUAL))) {
		*out = name;
		return true;
	}
	p = sap_arena_alloc(arena, name.n + 5 + version.n);
	if (!p)
		return false;
	memcpy(p, name.p, name.n);
	p[at++] = ' ';
	if (flags & SENSE_LESS)
		p[at++] = '<';
	if (flags & SENSE_GREATER)
		p[at++] = '>';
	if (flags & SENSE_EQUAL)
		p[at++] = '=';
	p[at++] = ' ';
	memcpy(p + at, version.p, version.n);
	*out = (struct sap_str){ p, at + version.n };
	return true;
}

static const struct {
	enum sap_rpm_slot slot;
	enum sap_relation_kind kind;
	const char *what;
} relation_kinds[] = {
	{ SAP_RPM_REQUIRES, SAP_REL_DEPENDS, "requires" },
	{ SAP_RPM_RECOMMENDS, SAP_REL_RECOMMENDS, "recommends" },
	{ SAP_RPM_SUGGESTS, SAP_REL_SUGGESTS, "suggests" },
	{ SAP_RPM_PROVIDES, SAP_REL_PROVIDES, "provides" },
	{ SAP_RPM_CONFLICTS, SAP_REL_CONFLICTS, "conflicts" },
};

enum { RELATION_KINDS = sizeof(relation_kinds) / sizeof(relation_kinds[0]) };

/* The relations of a package while they are collected. */
struct relations {
	struct sap_rec_relation *v;
	uint32_t n;
	uint32_t room;
	uint64_t bytes; /* of text */
};

static bool add_relations(const struct sap_rpm_header *header, unsigned which,
			  struct sap_arena *arena, struct relations *to, struct sap_err *fault)
{
	enum sap_rpm_slot slot = relation_kinds[which].slot;
	struct sap_rpm_texts names = sap_rpm_texts(header, slot);
	struct sap_rpm_texts versions = sap_rpm_texts(header, slot + 2);
	uint32_t count = header->v[slot].count, done = 0;
	struct sap_str name;

	while (done < count && to->n < to->room && to->bytes <= SAP_RPM_RELATION_BYTES_MAX &&
	       sap_rpm_texts_next(&names, &name)) {
		struct sap_str version = { 0 };
		uint64_t flags = 0;

		if (sap_rpm_texts_next(&versions, &version))
			sap_rpm_number(header, slot + 1, done, &flags);
		done++;
		/* Never a relation to nothing. */
		if (!name.n)
			continue;
		to->bytes += name.n + version.n;
		if (to->bytes > SAP_RPM_RELATION_BYTES_MAX)
			break;
		to->v[to->n].kind = relation_kinds[which].kind;
		if (!make_relation(arena, name, flags, version, &to->v[to->n].text))
			return false;
		to->n++;
	}
	if (done < count && !fault->code) {
		if (to->n == to->room || to->bytes > SAP_RPM_RELATION_BYTES_MAX)
			sap_err_set(fault, SAP_ELIMIT,
				    "more than %u relations or %llu bytes of them",
				    (unsigned)SAP_RELATIONS_MAX,
				    (unsigned long long)SAP_RPM_RELATION_BYTES_MAX);
		else
			sap_err_set(fault, SAP_EFORMAT, "%s: %u of %u names are there",
				    relation_kinds[which].what, done, count);
	}
	return true;
}

static int make_relations(const struct sap_rpm_header *header, struct sap_arena *arena,
			  struct sap_rec_package *rec, struct sap_err *fault, struct sap_err *err)
{
	struct relations relations = { 0 };
	uint64_t room = 0;

	for (unsigned i = 0; i < RELATION_KINDS; i++)
		room += header->v[relation_kinds[i].slot].count;
	if (!room)
		return 0;
	relations.room = room < SAP_RELATIONS_MAX ? (uint32_t)room : SAP_RELATIONS_MAX;
	relations.v = sap_arena_array(arena, relations.room, sizeof(*relations.v));
	if (!relations.v)
		return sap_err_nomem(err);
	for (unsigned i = 0; i < RELATION_KINDS; i++) {
		if (!add_relations(header, i, arena, &relations, fault))
			return sap_err_nomem(err);
	}
	rec->relations = relations.v;
	rec->n_relations = relations.n;
	return 0;
}

int sap_rpm_header_package(const struct sap_rpm_header *header, struct sap_arena *arena,
			   struct sap_rec_package *out, struct sap_err *fault, struct sap_err *err)
{
	struct sap_rec_package rec = {
		.type = SAP_PACKAGE_RPM,
		.name = sap_rpm_text(header, SAP_RPM_NAME),
		.arch = sap_rpm_text(header, SAP_RPM_ARCH),
		.licence = sap_rpm_text(header, SAP_RPM_LICENSE),
		.maintainer = sap_rpm_text(header, SAP_RPM_PACKAGER),
		.vendor = sap_rpm_text(header, SAP_RPM_VENDOR),
		.section = sap_rpm_text(header, SAP_RPM_GROUP),
		.modularity = sap_rpm_text(header, SAP_RPM_MODULARITYLABEL),
	};
	struct sap_str version = sap_rpm_text(header, SAP_RPM_VERSION);
	struct sap_str release = sap_rpm_text(header, SAP_RPM_RELEASE);
	uint64_t epoch = 0, when = 0;
	int r;

	if (!rec.name.n || !version.n)
		return sap_err_set(err, SAP_EFORMAT, "a package header without %s",
				   rec.name.n ? "a version" : "a name");
	sap_rpm_number(header, SAP_RPM_EPOCH, 0, &epoch);
	if (sap_rpm_number(header, SAP_RPM_INSTALLTIME, 0, &when) && when <= INT64_MAX)
		rec.install_time = (int64_t)when;
	if (!sap_rpm_number(header, SAP_RPM_LONGSIZE, 0, &rec.installed_size))
		sap_rpm_number(header, SAP_RPM_SIZE, 0, &rec.installed_size);
	if (!make_evr(arena, epoch, version, release, &rec.version) ||
	    !make_source(arena, sap_rpm_text(header, SAP_RPM_SOURCERPM), epoch, &rec, fault))
		return sap_err_nomem(err);
	r = make_relations(header, arena, &rec, fault, err);
	if (r < 0)
		return r;
	*out = rec;
	return 0;
}
