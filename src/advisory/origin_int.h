/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of origin: the question, words in versions, and the answers by package type.
 */
#ifndef SAP_ADVISORY_ORIGIN_INT_H
#define SAP_ADVISORY_ORIGIN_INT_H

#include "advisory/origin.h"

struct sap_origin_question {
	const struct sap_facts *facts;
	struct sap_str os, like; /* ID and ID_LIKE */
	struct sap_str release;  /* VERSION_ID */
	struct sap_str version, source_version, maintainer, vendor, section;
	struct sap_arena *arena;
	struct sap_str *reason;
};

/* Writes the reason and returns origin. */
enum sap_origin sap_origin_say(const struct sap_origin_question *q, enum sap_origin origin,
			       const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* At most 200 bytes of a text of the package's record, for "%.*s". */
#define SAP_ORIGIN_SHOWN(s) ((int)((s).n > 200 ? 200 : (s).n)), ((s).p ? (s).p : "")

#define SAP_ORIGIN_N(array) (sizeof(array) / sizeof((array)[0]))

static inline bool sap_origin_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Text compared without regard to case; lower: in lower case. */
bool sap_origin_starts(struct sap_str s, struct sap_str lower);
bool sap_origin_eq(struct sap_str s, struct sap_str lower);

/* Whether a list ("a|b|c", lower case; "a*": what begins with it) has s. */
bool sap_origin_in_list(const char *list, struct sap_str s);

/* Whether the system, or one that it is like, is in the list. A system that does not say what
 * it is may be any. */
bool sap_origin_system_in(const struct sap_origin_question *q, const char *list);

/* How many digits stand at `at`. */
size_t sap_origin_digits(struct sap_str s, size_t at);

/* A run of letters in a version, and what stands around it. */
struct sap_origin_run {
	struct sap_str word;
	struct sap_str number; /* digits right after it, a '.' before them allowed */
	char before;           /* the byte before it; 0: none */
	bool direct;           /* the number follows without '.' */
	bool revision;         /* after the last '-', or after a '~' */
};

/* Takes the next run of letters off; *at is where to go on. */
bool sap_origin_next_run(struct sap_str version, size_t *at, struct sap_origin_run *run);

/* The part of the version that a run belongs to, for people: "~bpo12+1". */
struct sap_str sap_origin_shown(struct sap_str version, const struct sap_origin_run *run);

enum sap_origin_rule {
	SAP_WORD_NUMBER = 1,   /* digits follow at once */
	SAP_WORD_REVISION = 2, /* not in what upstream calls its version */
	SAP_WORD_PLUS = 4,     /* '+' stands before it */
	SAP_WORD_TILDE = 8,    /* '~' stands before it */
	SAP_WORD_APART = 16,   /* some separator stands before it */
};

struct sap_origin_word {
	struct sap_str text;
	uint8_t rule;    /* enum sap_origin_rule; SAP_WORD_PLUS | SAP_WORD_TILDE: one of them */
	const char *who; /* who makes such versions */
	const char *own; /* systems (or what they are like) that make them themselves */
};

#define SAP_ORIGIN_WORD(text, rule, who, own)            \
	{                                                \
		SAP_STR_INIT(text), (rule), (who), (own) \
	}

/* The word of a table that a run is a sign of; NULL: none. */
const struct sap_origin_word *sap_origin_find_word(const struct sap_origin_question *q,
						   const struct sap_origin_word *words, size_t n,
						   const struct sap_origin_run *run);

/* Whether a maintainer is known to make packages that are no distribution's. */
bool sap_origin_is_maker(const struct sap_origin_question *q, struct sap_str maintainer);

/* root@somewhere, someone@hostname: what tools write for a person who has not said who they
 * are (checkinstall, fpm, the kernel's "make deb-pkg"). */
bool sap_origin_is_nobody(struct sap_str maintainer);

enum sap_origin sap_origin_rpm(const struct sap_origin_question *q, struct sap_str name);

#endif
