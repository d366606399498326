/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#include "model/uses.h"

/*
 * What is loaded while a program runs. Each object has wishes: names that it would hand to
 * dlopen, and why. They are looked for as dlopen looks (from the object that calls it), and
 * what they find is loaded with its own dependencies and wishes.
 */

enum { BIT_KNOWN = 1, BIT_PAM = 2, FIRST_DATABASE = 2 }; /* of link->use_bits */

/* Where glibc has "files" and "dns" inside libc. */
enum { NSS_INSIDE = 34 };

static const struct sap_str databases[] = {
	SAP_STR_INIT("aliases"),   SAP_STR_INIT("ethers"), SAP_STR_INIT("group"),
	SAP_STR_INIT("gshadow"),   SAP_STR_INIT("hosts"),  SAP_STR_INIT("netgroup"),
	SAP_STR_INIT("networks"),  SAP_STR_INIT("passwd"), SAP_STR_INIT("protocols"),
	SAP_STR_INIT("publickey"), SAP_STR_INIT("rpc"),    SAP_STR_INIT("services"),
	SAP_STR_INIT("shadow"),
};

enum { DATABASES = sizeof(databases) / sizeof(databases[0]) };

static int push_wish(struct sap_link *link, struct sap_wish wish, struct sap_err *err)
{
	struct sap_wish *at = SAP_VEC_PUSH(&link->wishes, SAP_LINK_EDGES_MAX);

	SAP_LINK_NEED(at, err);
	*at = wish;
	return 0;
}

/* The pool id of two texts in a row, with a third behind them; 0: out of memory. */
static uint32_t put3(struct sap_link *link, struct sap_str a, struct sap_str b, struct sap_str c)
{
	uint32_t id;

	sap_buf_reset(&link->path);
	sap_buf_puts(&link->path, a);
	sap_buf_puts(&link->path, b);
	sap_buf_puts(&link->path, c);
	if (!sap_buf_ok(&link->path) || !sap_link_put(link, sap_buf_str(&link->path), &id))
		return 0;
	return id;
}

/* ---- dlopen ----------------------------------------------------------------------------- */

static int wish_notes(struct sap_link *link, const struct sap_object *o, struct sap_err *err)
{
	const struct sap_facts *facts = link->facts;

	for (uint32_t i = 0; i < o->dlopen_notes.n; i++) {
		const struct sap_dlopen_note *note = &facts->dlopen_notes.v[o->dlopen_notes.at + i];
		bool required = sap_str_is(sap_link_str(link, note->priority), "required");

		for (uint32_t k = 0; k < note->sonames.n; k++) {
			uint32_t name = facts->ids.v[note->sonames.at + k];
			int r = push_wish(link,
					  (struct sap_wish){ .name = name,
							     .target = name,
							     .via = note->feature,
							     .kind = SAP_EDGE_DLOPEN_NOTE,
							     .optional = !required,
							     .more = k + 1 < note->sonames.n },
					  err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int wish_strings(struct sap_link *link, const struct sap_object *o, struct sap_err *err)
{
	for (uint32_t i = 0; i < o->dlopen_strings.n; i++) {
		uint32_t name = link->facts->ids.v[o->dlopen_strings.at + i];
		int r = push_wish(link,
				  (struct sap_wish){ .name = name,
						     .target = name,
						     .kind = SAP_EDGE_DLOPEN_STRING,
						     .optional = true,
						     .silent = true },
				  err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- PAM -------------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
	const struct sap_pam_line *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Lines and includes of all services, by service and in their order. */
static int index_pam(struct sap_link *link, struct sap_err *err)
{
	link->pam_ready = true;
	for (size_t i = 0; i < link->facts->settings.n; i++) {
		const struct sap_setting *s = &link->facts->settings.v[i];
		struct sap_pam_line *line;

		if (s->kind != SAP_SET_PAM && s->kind != SAP_SET_PAM_INCLUDE)
			continue;
		line = SAP_VEC_PUSH(&link->pam, UINT32_MAX);
		SAP_LINK_NEED(line, err);
		*line = (struct sap_pam_line){ s->key,  s->value, s->extra,
					       s->file, s->order, s->kind == SAP_SET_PAM_INCLUDE };
	}
	if (link->pam.n)
		qsort(link->pam.v, link->pam.n, sizeof(*link->pam.v), compare_lines);
	return 0;
}

static size_t first_line(const struct sap_link *link, uint32_t key)
{
	size_t low = 0, high = link->pam.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (link->pam.v[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* One walk over the services of a program. */
struct pam {
	struct sap_memo seen; /* (service, type), and modules: 1 + the first wish for them */
	unsigned lines;
};

enum { MODULE = UINT32_MAX }; /* beside a module, where a service has its type */

/* A module that one line tolerates the absence of, but another does not. */
static void require(struct sap_link *link, size_t at, bool optional)
{
	bool more = !optional;

	for (; more && at < link->wishes.n; at++) {
		more = link->wishes.v[at].more;
		link->wishes.v[at].optional = false;
	}
}

static int wish_module(struct sap_link *link, const struct sap_env *env, struct pam *pam,
		       const struct sap_pam_line *line, struct sap_err *err)
{
	static const struct sap_str usual[] = { SAP_STR_INIT("/lib64"), SAP_STR_INIT("/usr/lib64"),
						SAP_STR_INIT("/lib"), SAP_STR_INIT("/usr/lib") };
	struct sap_str module = sap_link_str(link, line->value);
	struct sap_str type = sap_link_str(link, line->type);
	struct sap_range dirs = link->lists.v[env->system];
	struct sap_wish wish = { .name = line->value,
				 .target = line->value,
				 .kind = SAP_EDGE_PAM,
				 .optional = type.n && type.p[0] == '-' };
	uint32_t *known;

	wish.via = put3(link, SAP_STR("pam.d/"), sap_path_base(sap_link_str(link, line->key)),
			SAP_STR(""));
	if (!wish.via)
		return sap_err_nomem(err);
	known = sap_memo_at(&pam->seen, line->value, MODULE);
	SAP_LINK_NEED(known, err);
	if (*known) {
		require(link, *known - 1, wish.optional);
		return 0;
	}
	*known = (uint32_t)link->wishes.n + 1;
	if (module.n && module.p[0] == '/')
		return push_wish(link, wish, err);
	for (uint32_t i = 0; i < dirs.n + 4; i++) {
		struct sap_str dir = i < dirs.n ? sap_link_str(link, link->dirs.v[dirs.at + i].path)
						: usual[i - dirs.n];
		int r;

		wish.more = i + 1 < dirs.n + 4;
		wish.target = put3(link, dir, SAP_STR("/security/"), module);
		if (!wish.target)
			return sap_err_nomem(err);
		r = push_wish(link, wish, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The modules of a service, with those of the services it includes, each service once for a
 * type. type: only those lines; 0: all. */
static int wish_service(struct sap_link *link, const struct sap_env *env, uint32_t key,
			uint32_t type, unsigned depth, struct pam *pam, struct sap_err *err)
{
	uint32_t *seen = sap_memo_at(&pam->seen, key, type);

	SAP_LINK_NEED(seen, err);
	if (*seen)
		return 0;
	*seen = 1;
	for (size_t at = first_line(link, key); at < link->pam.n && link->pam.v[at].key == key;
	     at++) {
		struct sap_pam_line line = link->pam.v[at];
		int r = 0;

		if (++pam->lines > SAP_LINK_PAM_LINES_MAX) {
			link->wishes_cut = true;
			return 0;
		}
		if (type && line.type && line.type != type)
			continue;
		if (!line.include)
			r = wish_module(link, env, pam, &line, err);
		else if (depth < SAP_LINK_PAM_DEPTH_MAX)
			r = wish_service(link, env, line.value, line.type ? line.type : type,
					 depth + 1, pam, err);
		else
			link->wishes_cut = true;
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_service(const struct sap_link *link, uint32_t key)
{
	size_t at = first_line(link, key);

	return key != UINT32_MAX && at < link->pam.n && link->pam.v[at].key == key;
}

/* The service that a program asks PAM for stands in its code. By custom it is the program's
 * name; sshd-session and the like use the name of what they belong to. */
static uint32_t service_of(const struct sap_link *link, uint32_t program)
{
	const struct sap_pool *pool = link->facts->pool;
	struct sap_str name =
		sap_path_base(sap_link_str(link, link->facts->objects.v[program].path));

	for (;;) {
		uint32_t key = sap_pool_find(pool, name);
		const char *dash;

		if (has_service(link, key))
			return key;
		dash = name.n ? memrchr(name.p, '-', name.n) : NULL;
		if (!dash)
			return sap_pool_find(pool, SAP_STR("other"));
		name.n = (size_t)(dash - name.p);
	}
}

static int wish_pam(struct sap_link *link, const struct sap_env *env, uint32_t program,
		    struct sap_err *err)
{
	struct pam pam = { 0 };
	int r = link->pam_ready ? 0 : index_pam(link, err);

	if (r < 0 || !link->pam.n)
		return r;
	r = wish_service(link, env, service_of(link, program), 0, 0, &pam, err);
	sap_memo_clear(&pam.seen);
	return r;
}

/* ---- NSS -------------------------------------------------------------------------------- */

static uint32_t use_bits(struct sap_link *link, uint32_t object)
{
	struct sap_range uses = link->facts->objects.v[object].uses;
	uint32_t bits = link->use_bits[object];

	if (bits)
		return bits;
	bits = BIT_KNOWN;
	for (uint32_t i = 0; i < uses.n; i++) {
		struct sap_str use = sap_link_str(link, link->facts->ids.v[uses.at + i]);
		struct sap_str database = sap_use_nss_database(use);

		if (sap_str_is(use, "pam_start") || sap_str_is(use, "pam_start_confdir"))
			bits |= BIT_PAM;
		for (unsigned d = 0; database.n && d < DATABASES; d++) {
			if (sap_str_eq(database, databases[d]))
				bits |= 1u << (d + FIRST_DATABASE);
		}
	}
	link->use_bits[object] = bits;
	return bits;
}

static int add_service(struct sap_link *link, unsigned d, struct sap_str service,
		       struct sap_err *err)
{
	uint32_t name, via;

	if (!service.n || service.p[0] == '[')
		return 0;
	name = put3(link, SAP_STR("libnss_"), service, SAP_STR(".so.2"));
	via = put3(link, SAP_STR("nsswitch.conf "), databases[d], SAP_STR(""));
	if (!name || !via)
		return sap_err_nomem(err);
	return push_wish(link,
			 (struct sap_wish){ .name = name,
					    .target = name,
					    .via = via,
					    .kind = SAP_EDGE_NSS,
					    .optional = true },
			 err);
}

/* Services of one database: those of nsswitch.conf, or what glibc asks without it. */
static int wish_database(struct sap_link *link, const struct sap_env *env, unsigned d,
			 struct sap_err *err)
{
	const struct sap_facts *facts = link->facts;
	uint32_t key = sap_pool_find(facts->pool, databases[d]);
	bool inside = env->glibc == 0 || env->glibc >= NSS_INSIDE, any = false;
	uint32_t n = 0;

	for (size_t i = link->first_nss; i < facts->settings.n; i++) {
		const struct sap_setting *s = &facts->settings.v[i];
		struct sap_str service = sap_link_str(link, s->value);
		int r;

		if (s->kind != SAP_SET_NSS)
			break;
		if (++n > SAP_LINK_PAM_LINES_MAX) {
			link->wishes_cut = true;
			break;
		}
		if (s->key != key)
			continue;
		any = true;
		if (inside && (sap_str_is(service, "files") || sap_str_is(service, "dns")))
			continue;
		r = add_service(link, d, service, err);
		if (r < 0)
			return r;
	}
	if (any || inside)
		return 0;
	if (sap_str_is(databases[d], "hosts")) {
		int r = add_service(link, d, SAP_STR("dns"), err);

		if (r < 0)
			return r;
	}
	return add_service(link, d, SAP_STR("files"), err);
}

int sap_link_wishes(struct sap_link *link, const struct sap_env *env, uint32_t object,
		    uint32_t program, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	uint32_t bits;
	int r;

	link->wishes.n = 0;
	link->wishes_cut = false;
	r = wish_notes(link, o, err);
	if (r == 0)
		r = wish_strings(link, o, err);
	if (r < 0 || !o->uses.n)
		return r;
	bits = use_bits(link, object);
	if ((bits & BIT_PAM) && program != SAP_NONE)
		r = wish_pam(link, env, program, err);
	for (unsigned d = 0; d < DATABASES && r == 0 && !env->musl; d++) {
		if (bits & 1u << (d + FIRST_DATABASE))
			r = wish_database(link, env, d, err);
	}
	return r;
}

/* ---- granting them ---------------------------------------------------------------------- */

/* Whose search path counts: the caller of dlopen; libc for its own modules; for musl always
 * the program. */
static uint32_t searcher(const struct sap_run *run, uint32_t entry, const struct sap_wish *wish)
{
	const struct sap_link *link = run->link;
	uint32_t libc;

	if (link->envs.v[run->env].musl)
		return 0;
	if (wish->kind != SAP_EDGE_NSS)
		return entry;
	libc = sap_pool_find(link->facts->pool, SAP_STR("libc.so.6"));
	if (libc >= link->n_by_name || link->by_name[libc].epoch != link->epoch ||
	    link->by_name[libc].lib >= link->loaded.n)
		return entry;
	return link->by_name[libc].lib;
}

/* Whether a guess names what the same object has named for a better reason: no news then. */
static bool is_known(struct sap_link *link, const struct sap_wish *wish)
{
	struct sap_slot *slot = sap_link_slot(link, &link->mark, &link->n_mark, wish->name);

	if (!slot) /* out of memory: at worst one edge too many */
		return false;
	if (wish->silent)
		return slot->epoch == link->mark_epoch;
	slot->epoch = link->mark_epoch;
	return false;
}

/* One wish with its alternatives: [first, end) of link->wishes. */
static int grant(struct sap_run *run, uint32_t entry, size_t first, size_t end)
{
	struct sap_link *link = run->link;
	uint32_t context = 0, to = SAP_NONE;
	bool fresh;
	int r;

	for (size_t i = first; i <= end; i++) {
		bool last = i == end; /* none was found: the first one is reported */
		struct sap_wish wish = link->wishes.v[last ? first : i];
		struct sap_request q = { .from = entry,
					 .name = wish.name,
					 .via = wish.via,
					 .kind = wish.kind,
					 .optional = wish.optional,
					 .silent = !last || wish.silent };
		struct sap_dep dep = { .raw = wish.target, .name = wish.target };

		r = sap_run_context(run, searcher(run, entry, &wish), &context);
		if (r == 0)
			r = sap_run_request(run, &q, context, &dep, &to, &fresh);
		if (r < 0)
			return r;
		if (to != SAP_NONE)
			return fresh ? sap_run_drain(run, to) : 0;
	}
	return 0;
}

int sap_run_beyond(struct sap_run *run)
{
	struct sap_link *link = run->link;

	for (uint32_t entry = 0; entry < link->loaded.n; entry++) {
		uint32_t object = link->loaded.v[entry].object;
		int r = sap_link_wishes(link, &link->envs.v[run->env], object,
					run->program ? run->object : SAP_NONE, run->err);
		bool known;

		link->mark_epoch++;
		if (link->wishes_cut)
			run->closure->complete = false;
		for (size_t i = 0; i < link->wishes.n && r == 0;) {
			size_t end = i + 1;

			while (link->wishes.v[end - 1].more && end < link->wishes.n)
				end++;
			known = true;
			for (size_t k = i; k < end; k++)
				known &= is_known(link, &link->wishes.v[k]);
			if (!known)
				r = grant(run, entry, i, end);
			i = end;
		}
		if (r < 0)
			return r;
	}
	return 0;
}
