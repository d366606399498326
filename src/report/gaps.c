/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

/* Symbolic links followed on the way to a file that could not be read. */
enum { HOPS_MAX = 8 };

uint32_t sap_gaps_missing(const struct sap_closure *closure)
{
	uint32_t n = 0;

	for (size_t i = 0; i < closure->missing.n; i++)
		n += !closure->edges.v[closure->missing.v[i].edge].optional;
	return n;
}

bool sap_gaps_any(const struct sap_closure *closure)
{
	return !closure->complete || sap_gaps_missing(closure);
}

void sap_gaps_put_line(const struct sap_tty *tty, const struct sap_facts *facts,
		       const struct sap_closure *closure)
{
	uint32_t missing = sap_gaps_missing(closure);

	if (!sap_gaps_any(closure))
		return;
	sap_tty_begin(tty, SAP_RED);
	if (missing)
		sap_buf_printf(tty->out, "INCOMPLETE: %u librar%s of ", missing,
			       sap_plural_y(missing));
	else
		sap_buf_puts(tty->out, SAP_STR("INCOMPLETE: some files of "));
	sap_tty_escape(tty->out, sap_path_base(sap_report_path(facts, closure->program)));
	if (missing)
		sap_buf_puts(tty->out,
			     missing == 1 ? SAP_STR(" was not found") : SAP_STR(" were not found"));
	else
		sap_buf_puts(tty->out, SAP_STR(" could not be looked up"));
	sap_tty_end(tty, SAP_RED);
	sap_buf_putc(tty->out, '\n');
}

/* ---- what could not be read ------------------------------------------------------------- */

/* Diagnostics are sorted by path. */
const struct sap_diagnostic *sap_gaps_loss_at(const struct sap_facts *facts, struct sap_str path)
{
	static const int losses[] = { SAP_EIO, SAP_EWORKER, SAP_ECHANGED, SAP_ELIMIT };
	size_t low = 0, high = facts->diagnostics.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct sap_diagnostic *d = &facts->diagnostics.v[mid];

		if (sap_str_cmp(sap_facts_str(facts, d->path), path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < facts->diagnostics.n; low++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[low];
		struct sap_str code = sap_facts_str(facts, d->code);

		if (!sap_str_eq(sap_facts_str(facts, d->path), path))
			break;
		for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
			if (sap_str_eq(code, sap_str_of(sap_code_name(losses[i]))))
				return d;
		}
	}
	return NULL;
}

/* Where a look-up or a symbolic link leads; empty: nowhere else. */
static struct sap_str next_of(const struct sap_facts *facts, struct sap_str path,
			      struct sap_buf *joined)
{
	for (size_t i = 0; i < facts->lookups.n; i++) {
		const struct sap_lookup *l = &facts->lookups.v[i];
		struct sap_str to = sap_facts_str(facts, l->canonical);

		if (to.n && !sap_str_eq(to, path) &&
		    sap_str_eq(sap_facts_str(facts, l->path), path))
			return to;
	}
	for (size_t i = 0; i < facts->symlinks.n; i++) {
		const struct sap_symlink *s = &facts->symlinks.v[i];
		struct sap_str to = sap_facts_str(facts, s->target);

		if (to.n == 0 || !sap_str_eq(sap_facts_str(facts, s->path), path))
			continue;
		if (to.p[0] == '/')
			return to;
		sap_buf_reset(joined);
		sap_buf_puts(joined, sap_path_dir(path));
		sap_buf_putc(joined, '/');
		sap_buf_puts(joined, to);
		return sap_buf_str(joined);
	}
	return (struct sap_str){ 0 };
}

const struct sap_diagnostic *sap_gaps_loss(const struct sap_facts *facts, struct sap_str path)
{
	const struct sap_diagnostic *d = NULL;
	struct sap_buf merged, joined[2];

	if (facts->diagnostics.n == 0)
		return NULL;
	sap_buf_init(&merged, SIZE_MAX / 2);
	sap_buf_init(&joined[0], SIZE_MAX / 2);
	sap_buf_init(&joined[1], SIZE_MAX / 2);
	for (unsigned hop = 0; hop < HOPS_MAX && path.n && !d; hop++) {
		struct sap_str to;

		d = sap_gaps_loss_at(facts, path);
		sap_buf_reset(&merged); /* /lib is a link to /usr/lib on a merged system */
		sap_buf_puts(&merged, SAP_STR("/usr"));
		sap_buf_puts(&merged, path);
		if (!d)
			d = sap_gaps_loss_at(facts, sap_buf_str(&merged));
		to = next_of(facts, path, &joined[hop % 2]);
		path = to.n ? to : next_of(facts, sap_buf_str(&merged), &joined[hop % 2]);
	}
	sap_buf_clear(&merged);
	sap_buf_clear(&joined[0]);
	sap_buf_clear(&joined[1]);
	return d;
}
