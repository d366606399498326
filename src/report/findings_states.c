/* SPDX-License-Identifier: Apache-2.0 */
#include "report/evreport_int.h"

const struct sap_finding_state *sap_finding_state(const struct sap_scan_view *view,
						  const struct sap_finding *finding)
{
	const struct sap_states *s = view->states;
	const struct sap_findings *f = view->findings;

	if (!s || !s->findings || s->of != f || finding < f->list.v ||
	    finding >= f->list.v + f->list.n)
		return NULL;
	return &s->findings[finding - f->list.v];
}

struct sap_finding_counts sap_finding_counts(const struct sap_states *s)
{
	struct sap_finding_counts n = { 0 };

	for (size_t i = 0; s->findings && i < s->of->list.n; i++) {
		const struct sap_finding_state *f = &s->findings[i];

		if (!sap_finding_is_open(&s->of->list.v[i]))
			continue;
		n.open++;
		n.mapped += f->state >= SAP_STATE_MAPPED;
		n.executed += f->state >= SAP_STATE_EXECUTED;
		n.load_time_only += f->state == SAP_STATE_EXECUTED && f->load_time_only;
		n.vulnerable += f->state == SAP_STATE_VULNERABLE_EXECUTED;
		n.not_observable += f->not_seen == SAP_NOT_OBSERVABLE;
	}
	return n;
}

/* ---- text ------------------------------------------------------------------------------- */

static void put_by(struct sap_buf *out, const struct sap_evidence *e, uint32_t process)
{
	if (process >= e->processes.n || sap_seen_free(&e->processes.v[process]))
		return;
	sap_buf_puts(out, SAP_STR(" by "));
	sap_evidence_put_process(out, e, process);
}

/* "SHA256_Update" of "SHA256_Update@@OPENSSL_3.0.0": the name that an advisory gives. */
static struct sap_str named(const struct sap_finding *v, struct sap_str names)
{
	struct sap_str rest = names, name = { 0 }, bare, version, first = { 0 };

	while (sap_str_word(&rest, &name)) {
		sap_str_cut(name, '@', &bare, &version);
		first = first.n ? first : bare;
		for (uint32_t i = 0; i < v->n_functions; i++) {
			if (sap_str_eq(v->functions[i].name, bare))
				return bare;
		}
	}
	return first;
}

static void put_reason(struct sap_buf *out, const struct sap_states *states,
		       const struct sap_finding *v, const struct sap_finding_state *s)
{
	/* Where no functions were asked for, that is said once for all, in the first lines. */
	if (s->reason.n == 0 ||
	    (!states->functions_watched && sap_str_is(s->reason, SAP_NOT_WATCHED)))
		return;
	if (s->state < SAP_STATE_MAPPED && sap_str_starts(s->reason, SAP_STR("not seen")))
		sap_buf_puts(out, SAP_STR(", "));
	else if (s->not_seen == SAP_NOT_SEEN)
		sap_buf_puts(out, v->n_functions ? SAP_STR("; vulnerable function ")
						 : SAP_STR("; functions "));
	else
		sap_buf_puts(out, SAP_STR("; not observable: "));
	sap_tty_escape(out, s->reason);
}

enum sap_style sap_finding_put_state(struct sap_buf *out, const struct sap_scan_view *view,
				     const struct sap_finding *v)
{
	const struct sap_finding_state *s = sap_finding_state(view, v);
	const struct sap_evidence *e = view->states ? view->states->evidence : NULL;

	if (!s || !e) {
		sap_buf_puts(out, sap_str_of(sap_state_name((enum sap_state)v->state)));
		return SAP_DIM;
	}
	if (s->state == SAP_STATE_VULNERABLE_EXECUTED) {
		const struct sap_seen_function *f = &e->functions.v[s->function];

		sap_buf_puts(out, SAP_STR("vulnerable function "));
		sap_tty_escape(out, named(v, f->names));
		sap_buf_puts(out, SAP_STR(" entered"));
		put_by(out, e, f->process);
		if (s->process != f->process && s->exposure > SAP_EXPOSURE_NONE) {
			sap_buf_puts(out, SAP_STR("; mapped"));
			put_by(out, e, s->process);
		}
	} else if (s->state >= SAP_STATE_MAPPED) {
		bool executed = s->state == SAP_STATE_EXECUTED && !s->load_time_only;

		sap_buf_puts(out, executed ? SAP_STR("executed, mapped") : SAP_STR("mapped"));
		put_by(out, e, s->process);
		put_reason(out, view->states, v, s);
	} else {
		sap_buf_puts(out, sap_str_of(sap_state_name((enum sap_state)s->state)));
		put_reason(out, view->states, v, s);
	}
	if (s->stale)
		sap_buf_puts(out, SAP_STR("; an old copy is mapped: restart"));
	return s->state == SAP_STATE_VULNERABLE_EXECUTED ? SAP_RED
	       : s->exposure == SAP_EXPOSURE_NETWORK     ? SAP_YELLOW
							 : SAP_DIM;
}

/* ---- JSON ------------------------------------------------------------------------------- */

void sap_finding_json_state(struct sap_json *json, const struct sap_scan_view *view,
			    const struct sap_finding *v)
{
	static const char *const answers[] = {
		[SAP_SEEN] = "seen",
		[SAP_NOT_SEEN] = "not_seen",
		[SAP_NOT_OBSERVABLE] = "not_observable",
	};
	const struct sap_finding_state *s = sap_finding_state(view, v);
	const struct sap_evidence *e = view->states ? view->states->evidence : NULL;

	if (!s || !e || s->not_seen > SAP_NOT_OBSERVABLE)
		return;
	sap_json_object(json, "evidence");
	sap_json_name(json, "answer", answers[s->not_seen]);
	sap_json_text(json, "reason", s->reason);
	if (s->state == SAP_STATE_EXECUTED)
		sap_json_bool(json, "load_time_only", s->load_time_only);
	if (s->exposure != SAP_EXPOSURE_UNKNOWN)
		sap_json_name(json, "exposure", sap_exposure_name((enum sap_exposure)s->exposure));
	if (s->stale)
		sap_json_bool(json, "stale", true);
	if (s->process < e->processes.n)
		sap_evidence_json_process(json, "process", e, s->process);
	if (s->function < e->functions.n)
		sap_evidence_json_function(json, "function", e, s->function);
	sap_json_close(json);
}
