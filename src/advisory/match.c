/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vulnerabilities the claims speak of, and who speaks of each. Names that are aliases of
 * each other are joined (union-find); the speakers are then sorted into one run for each
 * vulnerability by counting, and each run is weighed.
 */
#include "advisory/match_int.h"

#include "advisory/rows.h"
#include "advisory/space.h"
#include "base/limits.h"

struct node {
	struct sap_str name;
	uint32_t hash;
	uint32_t parent; /* itself: a root */
	uint32_t best;   /* of a root: the node with the name to show */
	uint32_t at, n;  /* of a root: its run of speakers */
	bool explained;  /* of a root */
};

struct mention {
	uint32_t node;
	struct sap_speaker speaker;
	bool explained; /* the record itself bears the name that is to be explained */
};

struct matcher {
	const struct sap_subject *subject;
	const struct sap_match_options *options;
	struct sap_arena *arena;
	struct sap_heard *heard;
	bool version_valid, source_valid; /* of the subject */
	SAP_VEC(struct node) nodes;
	SAP_VEC(struct mention) mentions;
	uint32_t *slots; /* node + 1; 0: free */
	uint32_t n_slots;
	struct sap_speaker *speakers; /* sorted by vulnerability */
};

/* ---- names ------------------------------------------------------------------------------ */

static uint32_t hash_of(struct sap_str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h ^ h >> 15;
}

static bool same_name(struct sap_str a, struct sap_str b)
{
	return a.n == b.n && a.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool grow_slots(struct matcher *m)
{
	uint32_t n = m->n_slots ? m->n_slots * 2 : 256;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < m->nodes.n; i++) {
		uint32_t at = m->nodes.v[i].hash & (n - 1);

		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = i + 1;
	}
	free(m->slots);
	m->slots = slots;
	m->n_slots = n;
	return true;
}

/* The node of a name; SAP_NONE: out of memory. */
static uint32_t node_of(struct matcher *m, struct sap_str name)
{
	uint32_t hash = hash_of(name), at;
	struct node *node;

	if (m->nodes.n * 2 >= m->n_slots && !grow_slots(m))
		return SAP_NONE;
	for (at = hash & (m->n_slots - 1); m->slots[at]; at = (at + 1) & (m->n_slots - 1)) {
		node = &m->nodes.v[m->slots[at] - 1];
		if (node->hash == hash && sap_str_eq(node->name, name))
			return m->slots[at] - 1;
	}
	node = SAP_VEC_PUSH(&m->nodes, SAP_MATCH_SPEAKERS_MAX);
	if (!node)
		return SAP_NONE;
	m->slots[at] = (uint32_t)m->nodes.n;
	*node = (struct node){ .name = name,
			       .hash = hash,
			       .parent = (uint32_t)m->nodes.n - 1,
			       .best = (uint32_t)m->nodes.n - 1,
			       .explained = same_name(name, m->options->explain) };
	return node->parent;
}

static uint32_t root_of(struct matcher *m, uint32_t i)
{
	struct node *v = m->nodes.v;

	while (v[i].parent != i) {
		v[i].parent = v[v[i].parent].parent;
		i = v[i].parent;
	}
	return i;
}

/* CVE, then GHSA, then all others; of CVEs the lower number. */
static int rank(struct sap_str name)
{
	return sap_str_starts(name, SAP_STR("CVE-"))    ? 0
	       : sap_str_starts(name, SAP_STR("GHSA-")) ? 1
							: 2;
}

static bool better_name(struct sap_str a, struct sap_str b)
{
	const size_t year = sizeof("CVE-0000-") - 1;
	int ra = rank(a), rb = rank(b);

	if (ra != rb)
		return ra < rb;
	if (ra == 0 && a.n != b.n && a.n > year && b.n > year && memcmp(a.p, b.p, year) == 0)
		return a.n < b.n;
	return sap_str_cmp(a, b) < 0;
}

/* Two names of one vulnerability. Two CVEs are two, whoever calls them aliases: what is said of
 * one must not clear the other. False: they stay apart. */
static bool join(struct matcher *m, uint32_t a, uint32_t b)
{
	struct node *v = m->nodes.v;

	a = root_of(m, a);
	b = root_of(m, b);
	if (a == b)
		return true;
	if (rank(v[v[a].best].name) == 0 && rank(v[v[b].best].name) == 0)
		return false;
	v[b].parent = a;
	v[a].explained = v[a].explained || v[b].explained;
	if (better_name(v[v[b].best].name, v[v[a].best].name))
		v[a].best = v[b].best;
	return true;
}

/* ---- hearing a claim -------------------------------------------------------------------- */

static bool has_module_mark(struct sap_str version)
{
	/* AlmaLinux, Oracle: ".module_el8"; Red Hat, Rocky: ".module+el8". */
	return version.n && (memmem(version.p, version.n, ".module_", 8) ||
			     memmem(version.p, version.n, ".module+", 8));
}

/* The parts of "1:16.14.0-4.el8" that streams of one module differ in: "1", "16.14". */
static void cut_line(struct sap_str version, struct sap_str *epoch, struct sap_str *line)
{
	struct sap_str rest = version;
	unsigned dots = 0;

	if (!sap_str_cut(version, ':', epoch, &rest)) {
		*epoch = SAP_STR("0");
		rest = version;
	}
	*line = (struct sap_str){ rest.p, 0 };
	for (; line->n < rest.n && rest.p[line->n] != '-'; line->n++) {
		dots += rest.p[line->n] == '.';
		if (dots == 2)
			break;
	}
}

/* Whether two versions are so close that they are of one stream, whatever it is called. */
static bool same_line(struct sap_str a, struct sap_str b)
{
	struct sap_str epoch_a, epoch_b, line_a, line_b;

	cut_line(a, &epoch_a, &line_a);
	cut_line(b, &epoch_b, &line_b);
	return sap_str_eq(epoch_a, epoch_b) && line_a.n && sap_str_eq(line_a, line_b);
}

/* The claim or the package does not say of which stream it is. */
static uint8_t doubt_of(const struct sap_subject *s, const struct sap_claim *claim,
			const struct sap_heard *h)
{
	if (same_line(h->version, claim->fixed))
		return SAP_NO_DOUBT;
	return s->modularity.n ? SAP_DOUBT_CLAIM : SAP_DOUBT_PACKAGE;
}

static enum sap_unfit unfit_of_module(const struct sap_subject *s, const struct sap_claim *claim,
				      struct sap_heard *h)
{
	bool modular = has_module_mark(h->version) || s->modularity.n;
	struct sap_str after;

	if (!claim->module.n) {
		if (s->scheme != SAP_VERSION_RPM || !claim->fixed.n)
			return SAP_FITS;
		if (has_module_mark(h->version) != has_module_mark(claim->fixed))
			return SAP_UNFIT_MODULAR;
		if (has_module_mark(claim->fixed))
			h->doubt = doubt_of(s, claim, h);
		return SAP_FITS;
	}
	if (!modular)
		return SAP_UNFIT_MODULAR;
	if (!s->modularity.n) {
		h->doubt = doubt_of(s, claim, h);
		return SAP_FITS;
	}
	after = sap_str_skip(s->modularity, claim->module.n);
	return sap_str_starts(s->modularity, claim->module) && (after.n == 0 || after.p[0] == ':')
		       ? SAP_FITS
		       : SAP_UNFIT_MODULE;
}

/* An architecture that is not known may be any. */
static bool has_arch(struct sap_str list, struct sap_str arch)
{
	struct sap_str item;

	if (list.n == 0 || !sap_arch_known(arch))
		return true;
	while (sap_row_list_next(&list, NULL, &item))
		if (!sap_arch_known(item) || sap_arch_same(item, arch))
			return true;
	return false;
}

static enum sap_unfit unfit_of(const struct sap_subject *s, const struct sap_claim *claim,
			       struct sap_heard *h)
{
	struct sap_str name = claim->names == SAP_NAMES_SOURCE && s->source.n ? s->source : s->name;

	if (claim->advisory->withdrawn.n)
		return SAP_UNFIT_WITHDRAWN;
	if (!sap_str_eq(claim->package, name))
		return SAP_UNFIT_NAME;
	if (s->compromised_only && !claim->advisory->compromised)
		return SAP_UNFIT_ORIGIN;
	if (!s->release_known && claim->space.n && memchr(claim->space.p, ':', claim->space.n))
		return SAP_UNFIT_RELEASE;
	if (!has_arch(claim->arch, s->arch))
		return SAP_UNFIT_ARCH;
	return unfit_of_module(s, claim, h);
}

static enum sap_class class_of(const struct sap_claim *claim, struct sap_str version)
{
	if (claim->advisory->compromised)
		return SAP_CLASS_COMPROMISED;
	if (claim->pro)
		return sap_version_is_esm(version) ? SAP_CLASS_SUBSCRIPTION : SAP_CLASS_PRO;
	return claim->space.n && memchr(claim->space.p, ':', claim->space.n) ? SAP_CLASS_RELEASE
									     : SAP_CLASS_GENERAL;
}

static void hear(struct matcher *m, const struct sap_claim *claim, struct sap_heard *h)
{
	const struct sap_subject *s = m->subject;
	bool of_source = claim->names == SAP_NAMES_SOURCE && s->source_version.n;

	*h = (struct sap_heard){ .claim = claim, .version = s->version };
	if (of_source)
		h->version = s->source_version;
	h->unfit = (uint8_t)unfit_of(s, claim, h);
	h->class = (uint8_t)class_of(claim, h->version);
	if (h->doubt)
		h->place = SAP_PLACE_INVALID;
	else if (!h->unfit)
		h->place =
			(uint8_t)sap_rule_place_of(s->scheme, claim->rule, h->version,
						   of_source ? m->source_valid : m->version_valid,
						   &h->fixed);
}

/* ---- who speaks of what ----------------------------------------------------------------- */

static int mention(struct matcher *m, uint32_t node, uint32_t claim, bool own, bool explained,
		   struct sap_err *err)
{
	struct mention *to;

	if (node == SAP_NONE)
		return sap_err_nomem(err);
	if (m->mentions.n >= SAP_MATCH_SPEAKERS_MAX)
		return sap_err_set(err, SAP_ELIMIT, "more than %u statements about %.*s",
				   SAP_MATCH_SPEAKERS_MAX, SAP_FMT(m->subject->name));
	to = SAP_VEC_PUSH(&m->mentions, SAP_MATCH_SPEAKERS_MAX);
	if (!to)
		return sap_err_nomem(err);
	*to = (struct mention){ node, { claim, own }, explained };
	return 0;
}

/* Whether the record bears the name that is to be explained. */
static bool is_explained(struct matcher *m, const struct sap_advisory *a)
{
	struct sap_str list = a->alias, name;
	bool explained = same_name(a->id, m->options->explain);

	while (!explained && m->options->explain.n && sap_row_list_next(&list, m->arena, &name))
		explained = same_name(name, m->options->explain);
	return explained;
}

static int mention_own(struct matcher *m, uint32_t claim, struct sap_err *err)
{
	const struct sap_advisory *a = m->heard[claim].claim->advisory;
	struct sap_str list = a->alias, name = sap_advisory_name(a->id);
	/* "CVE-2024-1/xz" is CVE-2024-1; other lists' entries need their tails. */
	uint32_t node = node_of(m, rank(name) == 0 ? name : a->id);
	int r = 0;

	while (r == 0 && node != SAP_NONE && sap_row_list_next(&list, m->arena, &name)) {
		uint32_t other = node_of(m, name);

		if (other == SAP_NONE)
			return sap_err_nomem(err);
		/* Of two CVEs that it names it speaks of both; another record's GHSA is not its. */
		if (!join(m, node, other) && rank(name) == 0)
			r = mention(m, other, claim, true, is_explained(m, a), err);
	}
	return r == 0 ? mention(m, node, claim, true, is_explained(m, a), err) : r;
}

static int mention_all(struct matcher *m, uint32_t claim, struct sap_err *err)
{
	const struct sap_advisory *a = m->heard[claim].claim->advisory;
	struct sap_str list = a->covers, aliases = a->alias, name;
	bool explained, any = false;
	int r = 0;

	if (list.n == 0)
		return mention_own(m, claim, err);
	explained = is_explained(m, a);
	while (r == 0 && sap_row_list_next(&list, m->arena, &name)) {
		r = mention(m, node_of(m, name), claim, sap_advisory_is_own(a->id, name), explained,
			    err);
		any = true;
	}
	if (!any)
		return mention_own(m, claim, err);
	/* UBUNTU-CVE-2024-1 may be about more than one. */
	while (r == 0 && sap_row_list_next(&aliases, m->arena, &name))
		if (sap_advisory_is_own(a->id, name))
			r = mention(m, node_of(m, name), claim, true, explained, err);
	return r;
}

/* A record with several claims about the package mentions the same as just before. */
static int mention_again(struct matcher *m, size_t from, size_t to, uint32_t claim,
			 struct sap_err *err)
{
	int r = 0;

	for (size_t i = from; r == 0 && i < to; i++) {
		const struct mention before = m->mentions.v[i];

		r = mention(m, before.node, claim, before.speaker.own, before.explained, err);
	}
	return r;
}

static int gather(struct matcher *m, const struct sap_claim *claims, size_t n, struct sap_err *err)
{
	const struct sap_advisory *last = NULL;
	size_t from = 0, to = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		hear(m, &claims[i], &m->heard[i]);
		if (m->heard[i].unfit && m->options->explain.n == 0)
			continue;
		if (claims[i].advisory == last) {
			r = mention_again(m, from, to, (uint32_t)i, err);
			continue;
		}
		from = m->mentions.n;
		r = mention_all(m, (uint32_t)i, err);
		to = m->mentions.n;
		last = claims[i].advisory;
	}
	return r;
}

/* Sorts the mentions into one run of speakers for each vulnerability. */
static int arrange(struct matcher *m, struct sap_err *err)
{
	uint32_t at = 0;

	m->speakers = malloc((m->mentions.n + 1) * sizeof(*m->speakers));
	if (!m->speakers)
		return sap_err_nomem(err);
	for (size_t i = 0; i < m->mentions.n; i++) {
		struct node *root = &m->nodes.v[root_of(m, m->mentions.v[i].node)];

		m->mentions.v[i].node = (uint32_t)(root - m->nodes.v);
		root->explained = root->explained || m->mentions.v[i].explained;
		root->n++;
	}
	for (size_t i = 0; i < m->nodes.n; i++) {
		m->nodes.v[i].at = at;
		at += m->nodes.v[i].n;
		m->nodes.v[i].n = 0;
	}
	for (size_t i = 0; i < m->mentions.n; i++) {
		struct node *root = &m->nodes.v[m->mentions.v[i].node];
		const struct sap_speaker *s = &m->mentions.v[i].speaker;

		/* A bundle may cover a vulnerability under two of its names. */
		if (root->n == 0 || m->speakers[root->at + root->n - 1].claim != s->claim)
			m->speakers[root->at + root->n++] = *s;
	}
	return 0;
}

/* ---- verdicts --------------------------------------------------------------------------- */

static int list_claims(struct matcher *m, const struct sap_case *c, int64_t decider,
		       struct sap_verdict *v, struct sap_err *err)
{
	v->claims = sap_arena_alloc(m->arena, c->n * sizeof(*v->claims));
	if (!v->claims)
		return sap_err_nomem(err);
	if (decider >= 0)
		v->claims[v->n_claims++] = c->speakers[decider].claim;
	for (uint32_t i = 0; i < c->n; i++)
		if (i != decider && !c->heard[c->speakers[i].claim].unfit)
			v->claims[v->n_claims++] = c->speakers[i].claim;
	return 0;
}

static int judge_one(struct matcher *m, const struct node *root, struct sap_verdicts *out,
		     struct sap_err *err)
{
	struct sap_case c = { m->subject,          m->heard, m->speakers + root->at, root->n,
			      m->options->sources, 0 };
	struct sap_verdict verdict = { .id = m->nodes.v[root->best].name }, *to;
	int64_t decider;
	int r;

	for (uint32_t i = 0; i < c.n; i++)
		if (!c.heard[c.speakers[i].claim].unfit)
			c.classes |= 1u << c.heard[c.speakers[i].claim].class;
	if (!sap_weigh(&c, &verdict, &decider) && !root->explained)
		return 0;
	r = list_claims(m, &c, decider, &verdict, err);
	if (r == 0 && root->explained)
		r = sap_steps_make(&c, m->options, decider, m->arena, &verdict, err);
	if (r < 0)
		return r;
	to = SAP_VEC_PUSH(out, SAP_FINDINGS_MAX);
	if (!to)
		return sap_err_set(err, SAP_ENOMEM, "out of memory, or more than %u verdicts",
				   SAP_FINDINGS_MAX);
	*to = verdict;
	return 0;
}

static int compare_verdicts(const void *a, const void *b)
{
	return sap_str_cmp(((const struct sap_verdict *)a)->id,
			   ((const struct sap_verdict *)b)->id);
}

/* Lists of advisories mostly come in this order. */
static bool are_sorted(const struct sap_verdicts *v, size_t from)
{
	for (size_t i = from + 1; i < v->n; i++)
		if (compare_verdicts(&v->v[i - 1], &v->v[i]) > 0)
			return false;
	return true;
}

static int run(struct matcher *m, const struct sap_claim *claims, size_t n,
	       struct sap_verdicts *out, struct sap_err *err)
{
	size_t first = out->n;
	int r;

	m->heard = malloc(n * sizeof(*m->heard));
	if (!m->heard)
		return sap_err_nomem(err);
	m->version_valid = sap_rule_valid(m->subject->scheme, m->subject->version);
	m->source_valid = sap_rule_valid(m->subject->scheme, m->subject->source_version);
	r = gather(m, claims, n, err);
	if (r == 0)
		r = arrange(m, err);
	for (size_t i = 0; r == 0 && i < m->nodes.n; i++)
		if (m->nodes.v[i].n)
			r = judge_one(m, &m->nodes.v[i], out, err);
	if (r < 0)
		out->n = first;
	else if (!are_sorted(out, first))
		qsort(out->v + first, out->n - first, sizeof(*out->v), compare_verdicts);
	return r;
}

int sap_match(const struct sap_subject *subject, const struct sap_claim *claims, size_t n,
	      const struct sap_match_options *options, struct sap_arena *arena,
	      struct sap_verdicts *out, struct sap_err *err)
{
	struct matcher m = { .subject = subject, .options = options, .arena = arena };
	int r;

	if (n == 0)
		return 0;
	if (n > UINT32_MAX / 2)
		return sap_err_set(err, SAP_ELIMIT, "too many statements about one package");
	r = run(&m, claims, n, out, err);
	free(m.heard);
	free(m.slots);
	free(m.speakers);
	sap_vec_clear(&m.nodes);
	sap_vec_clear(&m.mentions);
	return r;
}
