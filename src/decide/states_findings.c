/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
#include "decide/states_int.h"

/* The texts of two lists (entered, unobserved) by name, without versions: chains of `links`. */
struct name_link {
	uint32_t index; /* of evidence->functions, or of unobserved */
	uint32_t next;  /* index of links + 1; 0: the last */
};

struct names {
	struct sap_pool *pool;
	SAP_VEC(uint32_t) entered, unobserved; /* by pool id: first link + 1 */
	SAP_VEC(struct name_link) links;
};

/* What the files of one finding say about functions. */
struct asked {
	uint32_t files;     /* of the finding that are mapped */
	uint32_t probed;    /* of these, with probes */
	uint32_t functions; /* that were watched in them */
	uint32_t processes; /* that had these mapped meanwhile */
	int64_t since;      /* when all probes were in place */
	int64_t watched;    /* how long, of the file of which it was shortest */
	uint32_t gone;      /* of probed: all who mapped them had ended before */
	const struct sap_seen_file *first_gone;
	const struct sap_seen_file *refused; /* the first that is not observable */
	const struct sap_seen_file *unasked; /* the first that nobody asked about */
};

struct judge {
	struct sap_states_work *work;
	struct sap_states *states;
	struct names names;
	struct sap_buf text;
};

/* ---- names ------------------------------------------------------------------------------ */

static bool note_name(struct names *n, struct sap_str name, uint32_t index, bool entered)
{
	uint32_t id = sap_pool_put(n->pool, name);
	struct name_link *link = id == UINT32_MAX ? NULL : SAP_VEC_PUSH(&n->links, UINT32_MAX - 1);
	uint32_t *head;

	if (!link)
		return false;
	while (n->entered.n <= id) {
		if (!SAP_VEC_PUSH(&n->entered, UINT32_MAX) ||
		    !SAP_VEC_PUSH(&n->unobserved, UINT32_MAX))
			return false;
	}
	head = entered ? &n->entered.v[id] : &n->unobserved.v[id];
	*link = (struct name_link){ index, *head };
	*head = (uint32_t)n->links.n;
	return true;
}

/* "SHA256_Update@@OPENSSL_3.0.0" is SHA256_Update. */
static struct sap_str without_version(struct sap_str name)
{
	struct sap_str rest;

	sap_str_cut(name, '@', &name, &rest);
	return name;
}

static bool note_names(struct judge *j)
{
	const struct sap_evidence *e = j->states->evidence;
	struct names *n = &j->names;

	n->pool = sap_pool_new();
	if (!n->pool)
		return false;
	for (uint32_t i = 0; i < e->functions.n; i++) {
		struct sap_str names = e->functions.v[i].names, name;

		while (sap_str_word(&names, &name)) {
			if (!note_name(n, without_version(name), i, true))
				return false;
		}
	}
	for (uint32_t i = 0; i < e->unobserved.n; i++) {
		if (!note_name(n, without_version(e->unobserved.v[i].name), i, false))
			return false;
	}
	return true;
}

static uint32_t head_of(const struct names *n, struct sap_str name, bool entered)
{
	uint32_t id = sap_pool_find(n->pool, without_version(name));

	if (id >= n->entered.n)
		return 0;
	return entered ? n->entered.v[id] : n->unobserved.v[id];
}

/* ---- what a finding is about ------------------------------------------------------------ */

static bool holds(const uint32_t *sorted, uint32_t n, uint32_t wanted)
{
	uint32_t low = 0;

	while (low < n) {
		uint32_t middle = low + (n - low) / 2;

		if (sorted[middle] == wanted)
			return true;
		if (sorted[middle] < wanted)
			low = middle + 1;
		else
			n = middle;
	}
	return false;
}

/* Whether a module of Go among the finding's packages is in that object. */
static bool has_module(const struct judge *j, const struct sap_finding *v, uint32_t object)
{
	const struct sap_package_objects *of = &j->work->objects;

	for (uint32_t i = 0; i < v->n_packages; i++) {
		uint32_t p = v->packages[i];

		if (j->states->facts->packages.v[p].type == SAP_PACKAGE_GOLANG &&
		    of->first[p] < of->first[p + 1] && of->v[of->first[p]] == object)
			return true;
	}
	return false;
}

static bool is_of(const struct judge *j, const struct sap_finding *v, uint32_t file)
{
	uint32_t object;

	if (file >= j->states->evidence->files.n || j->states->file_how[file] != SAP_FILE_JOINED)
		return false;
	object = j->states->file_object[file];
	if (holds(v->packages, v->n_packages, j->states->facts->objects.v[object].package))
		return true;
	for (uint32_t i = 0; i < v->n_objects; i++) {
		if (v->objects[i] == object)
			return true;
	}
	return has_module(j, v, object);
}

/* ---- state ------------------------------------------------------------------------------ */

static void add(const struct judge *j, struct sap_package_state *sum,
		const struct sap_package_state *part)
{
	sum->objects += part->objects;
	sum->code += part->code;
	sum->mapped += part->mapped;
	sum->stale |= part->stale;
	sum->contradicted |= part->contradicted;
	if (part->state == SAP_STATE_EXECUTED)
		sum->load_time_only = part->load_time_only &&
				      (sum->state < SAP_STATE_EXECUTED || sum->load_time_only);
	sum->state = sap_states_max(sum->state, part->state);
	sum->exposure =
		sap_states_exposure(sum->process, sum->exposure, part->process, part->exposure);
	if (part->process != SAP_NONE)
		sum->process = sap_states_first(j->states->evidence, sum->process, part->process);
}

static struct sap_package_state sum_of(const struct judge *j, const struct sap_finding *v)
{
	struct sap_package_state sum = { .state = SAP_STATE_PRESENT, .process = SAP_NONE };

	for (uint32_t i = 0; i < v->n_packages; i++)
		add(j, &sum, &j->states->packages[v->packages[i]]);
	for (uint32_t i = 0; i < v->n_objects; i++) {
		const struct sap_object_state *o = &j->states->objects[v->objects[i]];
		const struct sap_package_state part = {
			.state = o->state,
			.exposure = o->exposure,
			.stale = o->stale,
			.load_time_only = o->load_time_only,
			.contradicted = o->contradicted,
			.process = o->process,
			.objects = 1,
			.code = 1,
			.mapped = o->state >= SAP_STATE_MAPPED,
		};

		add(j, &sum, &part);
	}
	return sum;
}

/* Whether function a was entered before b; of equal times the name decides. */
static bool is_earlier(const struct sap_evidence *e, uint32_t a, uint32_t b)
{
	const struct sap_seen_function *x = &e->functions.v[a], *y = &e->functions.v[b];
	int c = sap_str_cmp(x->names, y->names);

	if (x->when != y->when)
		return x->when < y->when;
	return c ? c < 0 : a < b;
}

/* The vulnerable function that was entered first. */
static uint32_t find_function(const struct judge *j, const struct sap_finding *v)
{
	const struct sap_evidence *e = j->states->evidence;
	uint32_t best = SAP_NONE;

	for (uint32_t i = 0; i < v->n_functions; i++) {
		uint32_t at = head_of(&j->names, v->functions[i].name, true);

		for (; at; at = j->names.links.v[at - 1].next) {
			uint32_t index = j->names.links.v[at - 1].index;

			if (!is_of(j, v, e->functions.v[index].file))
				continue;
			if (best == SAP_NONE || is_earlier(e, index, best))
				best = index;
		}
	}
	return best;
}

/* ---- what is not known ------------------------------------------------------------------ */

static int say(struct judge *j, struct sap_finding_state *out, enum sap_not_seen how,
	       struct sap_err *err)
{
	out->not_seen = (uint8_t)how;
	if (!sap_buf_ok(&j->text) ||
	    !sap_arena_str(&j->states->arena, sap_buf_str(&j->text), &out->reason))
		return sap_err_nomem(err);
	return 0;
}

static void ask_object(const struct judge *j, uint32_t object, struct asked *a)
{
	const struct sap_object_state *o = &j->states->objects[object];

	for (uint32_t i = 0; i < o->files.n; i++) {
		uint32_t index = j->states->files[o->files.at + i];
		const struct sap_seen_file *f = &j->states->evidence->files.v[index];

		if (j->states->file_how[index] != SAP_FILE_JOINED)
			continue;
		a->files++;
		if (f->observed == SAP_OBSERVED_NOT && !a->refused)
			a->refused = f;
		if (f->observed == SAP_OBSERVED_NOT_ASKED && !a->unasked)
			a->unasked = f;
		if (f->observed != SAP_OBSERVED_PROBED)
			continue;
		a->watched = a->probed++ && a->watched < f->watched ? a->watched : f->watched;
		a->functions += f->n_probed;
		a->processes += f->watched_processes;
		if (sap_evidence_nobody_left(j->states->groups, index) && a->gone++ == 0)
			a->first_gone = f;
		a->since = f->observed_since > a->since ? f->observed_since : a->since;
	}
}

static struct asked ask(const struct judge *j, const struct sap_finding *v)
{
	const struct sap_package_objects *of = &j->work->objects;
	struct asked a = { 0 };

	for (uint32_t i = 0; i < v->n_packages; i++) {
		uint32_t p = v->packages[i];

		for (uint32_t k = of->first[p]; k < of->first[p + 1]; k++)
			ask_object(j, of->v[k], &a);
	}
	for (uint32_t i = 0; i < v->n_objects; i++)
		ask_object(j, v->objects[i], &a);
	return a;
}

static int say_not_mapped(struct judge *j, const struct sap_package_state *sum,
			  struct sap_finding_state *out, struct sap_err *err)
{
	const struct sap_evidence *e = j->states->evidence;
	enum sap_not_seen how = SAP_NOT_OBSERVABLE;

	if (sum->objects == 0) {
		sap_buf_puts(&j->text, SAP_STR("no native code"));
	} else if (sum->code == 0) {
		sap_buf_puts(&j->text, SAP_STR("kernel modules and object files are not mapped "
					       "into processes"));
	} else if (sum->contradicted) {
		sap_buf_puts(&j->text, SAP_STR("what was mapped from its path is another build "
					       "than the facts describe: scan again"));
	} else {
		uint64_t lost = e->losses.maps + e->losses.files + e->losses.ceiling;

		sap_states_put_window(&j->text, e);
		if (e->processes_hidden)
			sap_buf_printf(&j->text, ", but %llu could not be looked into",
				       (unsigned long long)e->processes_hidden);
		sap_buf_printf(&j->text, ", %llu lost", (unsigned long long)lost);
		how = e->processes_hidden ? SAP_NOT_OBSERVABLE : SAP_NOT_SEEN;
	}
	return say(j, out, how, err);
}

/* Whether every probed file of the finding says that it cannot observe that function; *why is
 * then what the first of them gives as the reason. */
static bool is_unobserved(const struct judge *j, const struct sap_finding *v, const struct asked *a,
			  struct sap_str name, struct sap_str *why)
{
	const struct sap_evidence *e = j->states->evidence;
	uint32_t at = head_of(&j->names, name, false), n = 0;

	for (; at; at = j->names.links.v[at - 1].next) {
		const struct sap_unobserved *u = &e->unobserved.v[j->names.links.v[at - 1].index];

		if (!is_of(j, v, u->file) || e->files.v[u->file].observed != SAP_OBSERVED_PROBED)
			continue;
		if (n++ == 0 || sap_str_cmp(u->reason, *why) < 0)
			*why = u->reason;
	}
	return n && n >= a->probed;
}

/* Names of the finding that nobody could have seen: "EVP_x and 2 more: no symbol: ..." */
static bool put_unobserved(struct judge *j, const struct sap_finding *v, const struct asked *a)
{
	struct sap_str first = { 0 }, reason = { 0 }, why = { 0 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n_functions; i++) {
		if (!is_unobserved(j, v, a, v->functions[i].name, &why))
			continue;
		if (n++ == 0) {
			first = v->functions[i].name;
			reason = why;
		}
	}
	if (n == 0)
		return false;
	sap_buf_puts(&j->text, first);
	if (n > 1)
		sap_buf_printf(&j->text, " and %u more", n - 1);
	sap_buf_puts(&j->text, SAP_STR(": "));
	sap_buf_puts(&j->text, reason.n ? reason : SAP_STR("no reason is known"));
	return true;
}

static void put_base(struct sap_buf *out, const struct sap_seen_file *f)
{
	sap_buf_puts(out, sap_path_base(f->path));
}

static void put_not_entered(struct judge *j, const struct asked *a)
{
	const struct sap_evidence *e = j->states->evidence;
	int64_t stood = sap_evidence_stood(e, a->since);
	char text[48];

	/* What ran before the probes stood, or in a window without them, was not seen. */
	sap_duration_text(a->watched < stood ? a->watched : stood, text, sizeof(text));
	sap_buf_printf(&j->text,
		       "not seen in %s over %u process%s, %u functions watched, %llu lost", text,
		       a->processes, a->processes == 1 ? "" : "es", a->functions,
		       (unsigned long long)(e->losses.hits + e->losses.ceiling));
}

/* Mapped; executed or not; its vulnerable function was not seen. */
static int say_not_entered(struct judge *j, const struct sap_finding *v,
			   const struct sap_package_state *sum, struct sap_finding_state *out,
			   struct sap_err *err)
{
	struct asked a = ask(j, v);
	bool entered = sum->state == SAP_STATE_EXECUTED && !sum->load_time_only;

	if (entered && v->n_functions == 0) {
		sap_buf_puts(&j->text, SAP_STR("no advisory names the vulnerable functions"));
	} else if (a.probed == 0 && a.refused) {
		sap_buf_puts(&j->text, a.refused->reason.n
					       ? a.refused->reason
					       : SAP_STR("its functions cannot be watched"));
	} else if (a.probed == 0) {
		sap_buf_puts(&j->text, SAP_STR(SAP_NOT_WATCHED));
	} else if (put_unobserved(j, v, &a)) {
		/* said */
	} else if (a.refused) {
		put_base(&j->text, a.refused);
		sap_buf_puts(&j->text, SAP_STR(": "));
		sap_buf_puts(&j->text, a.refused->reason);
	} else if (a.unasked) {
		sap_buf_puts(&j->text, SAP_STR("the functions of "));
		put_base(&j->text, a.unasked);
		sap_buf_puts(&j->text, SAP_STR(" were not watched"));
	} else if (a.gone == a.probed) {
		sap_buf_puts(&j->text, SAP_STR(SAP_NOBODY_LEFT));
	} else if (a.gone) {
		put_base(&j->text, a.first_gone);
		sap_buf_puts(&j->text, SAP_STR(": " SAP_NOBODY_LEFT));
	} else {
		put_not_entered(j, &a);
		return say(j, out, SAP_NOT_SEEN, err);
	}
	return say(j, out, SAP_NOT_OBSERVABLE, err);
}

/* ---- all of it -------------------------------------------------------------------------- */

static int judge_one(struct judge *j, struct sap_finding *v, struct sap_finding_state *out,
		     struct sap_err *err)
{
	struct sap_package_state sum = sum_of(j, v);

	*out = (struct sap_finding_state){
		.state = sum.state,
		.exposure = sum.exposure,
		.stale = sum.stale,
		.load_time_only = sum.load_time_only,
		.not_seen = SAP_NO_EVIDENCE,
		.function = SAP_NONE,
		.process = sum.process,
	};
	if (j->states->evidence && sum.state >= SAP_STATE_MAPPED)
		out->function = find_function(j, v);
	if (out->function != SAP_NONE) {
		out->state = SAP_STATE_VULNERABLE_EXECUTED;
		out->load_time_only = false;
	}
	v->state = out->state;
	if (!j->states->evidence)
		return 0;
	sap_buf_reset(&j->text);
	if (out->state == SAP_STATE_VULNERABLE_EXECUTED) {
		out->not_seen = SAP_SEEN;
		return 0;
	}
	return sum.state < SAP_STATE_MAPPED ? say_not_mapped(j, &sum, out, err)
					    : say_not_entered(j, v, &sum, out, err);
}

int sap_states_findings(struct sap_states_work *work, struct sap_findings *findings,
			struct sap_err *err)
{
	struct sap_states *s = work->states;
	struct judge j = { .work = work, .states = s };
	int r = 0;

	s->of = findings;
	s->findings = sap_arena_array(&s->arena, findings->list.n, sizeof(*s->findings));
	sap_buf_init(&j.text, 16 * SAP_MIB);
	if (!s->findings || (s->evidence && !note_names(&j)))
		r = sap_err_nomem(err);
	for (size_t i = 0; r == 0 && i < findings->list.n; i++)
		r = judge_one(&j, &findings->list.v[i], &s->findings[i], err);
	sap_pool_free(j.names.pool);
	sap_vec_clear(&j.names.entered);
	sap_vec_clear(&j.names.unobserved);
	sap_vec_clear(&j.names.links);
	sap_buf_clear(&j.text);
	return r;
}
