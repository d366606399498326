/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many units, on as many threads as there are processors. Each thread has a connection of its own
 * and gathers its own findings; the numbers of the units that they belong to put them into the
 * order that one thread would have found them in.
 */
#include "advisory/judge_int.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/limits.h"

/* Fewer are done before a second thread has opened the store. */
enum { UNITS_MIN = 100, PENDING_MIN = 400 };

enum { ROOM = 32 * 1024, PIECE = 128 /* findings that a thread takes at once */ };

/* A thread's own things. */
struct hand {
	struct sap_crew *crew;
	struct sap_judge j;
	struct sap_findings found;
	pthread_t thread;
	bool running, ready;
	int code;
	size_t failed; /* the piece that code is about */
	struct sap_err err;
};

struct sap_crew {
	pthread_mutex_t lock;
	struct sap_arena *arena; /* of the findings, under the lock */
	struct sap_judge *owner; /* does nothing while the others work */
	/* The work at hand. */
	int (*piece)(struct hand *hand, size_t i, struct sap_err *err);
	size_t n_pieces;
	atomic_size_t next;
	atomic_bool stop;
	struct sap_trial *trials;
	struct hand hands[SAP_JUDGE_THREADS_MAX]; /* the first is the calling thread's */
};

/* ---- what findings are made of ---------------------------------------------------------- */

bool sap_judge_start(struct sap_judge *j)
{
	sap_arena_init(&j->scratch, 0);
	sap_arena_init(&j->unit, 0);
	sap_buf_init(&j->buf, SAP_MIB);
	if (j->crew)
		return true;
	j->crew = calloc(1, sizeof(*j->crew));
	if (!j->crew)
		return false;
	pthread_mutex_init(&j->crew->lock, NULL);
	j->crew->arena = &j->out->arena;
	j->crew->owner = j;
	for (unsigned i = 0; i < SAP_JUDGE_THREADS_MAX; i++)
		j->crew->hands[i].crew = j->crew;
	return true;
}

static void clear(struct sap_judge *j)
{
	free(j->claims.v);
	free(j->verdicts.v);
	free(j->names.v);
	sap_vec_clear(&j->pending);
	sap_vec_clear(&j->aliases);
	sap_buf_clear(&j->buf);
	sap_arena_clear(&j->scratch);
	sap_arena_clear(&j->unit);
}

void sap_judge_end(struct sap_judge *j)
{
	struct sap_crew *crew = j->crew;

	clear(j);
	for (unsigned i = 0; crew && i < SAP_JUDGE_THREADS_MAX; i++) {
		clear(&crew->hands[i].j);
		sap_vec_clear(&crew->hands[i].found.list);
		sap_vec_clear(&crew->hands[i].found.not_judged);
		if (i > 0)
			sap_store_close(crew->hands[i].j.store);
	}
	if (crew)
		pthread_mutex_destroy(&crew->lock);
	free(crew);
	j->crew = NULL;
}

static void *shared_alloc(struct sap_crew *crew, uint64_t n)
{
	void *p;

	pthread_mutex_lock(&crew->lock);
	p = sap_arena_alloc(crew->arena, n);
	pthread_mutex_unlock(&crew->lock);
	return p;
}

/* Small things come out of a room of the thread's own: arrays from its beginning, where all is
 * aligned, texts from its end. */
static unsigned char *alloc(struct sap_judge *j, uint64_t n, bool text)
{
	const uint64_t align = 16;
	uint64_t size = text ? n : (n + align - 1) / align * align;

	if (size < n)
		return NULL;
	if (size == 0)
		size = align;
	if (size > ROOM / 4)
		return shared_alloc(j->crew, n);
	if (size > j->room.n) {
		j->room.p = shared_alloc(j->crew, ROOM);
		j->room.n = j->room.p ? ROOM : 0;
		if (!j->room.p)
			return NULL;
	}
	j->room.n -= size;
	if (text)
		return j->room.p + j->room.n;
	j->room.p += size;
	return j->room.p - size;
}

bool sap_judge_keep(struct sap_judge *j, struct sap_str s, struct sap_str *out)
{
	char *p;

	*out = (struct sap_str){ 0 };
	if (s.n == 0)
		return true;
	p = s.n < SIZE_MAX ? (char *)alloc(j, s.n + 1, true) : NULL;
	if (!p)
		return false;
	memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	*out = (struct sap_str){ p, s.n };
	return true;
}

void *sap_judge_array(struct sap_judge *j, uint64_t n, uint64_t size)
{
	uint64_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	p = alloc(j, bytes, false);
	return p ? memset(p, 0, bytes) : NULL;
}

/* ---- the threads ------------------------------------------------------------------------ */

static unsigned count_threads(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > SAP_JUDGE_THREADS_MAX ? SAP_JUDGE_THREADS_MAX : (unsigned)n;
}

/* Gives a thread what it needs for itself. False: it cannot work. */
static bool make_ready(struct hand *hand)
{
	const struct sap_judge *owner = hand->crew->owner;
	struct sap_judge *j = &hand->j;

	if (hand->ready)
		return true;
	*j = (struct sap_judge){ .facts = owner->facts,
				 .options = owner->options,
				 .out = &hand->found,
				 .match = owner->match,
				 .copied = owner->copied,
				 .crew = hand->crew };
	j->copies = owner->copies;
	sap_judge_start(j);
	if (hand == hand->crew->hands)
		j->store = owner->store;
	else if (sap_store_twin(owner->store, &j->store, NULL) < 0)
		return false;
	hand->ready = true;
	return true;
}

static void *work(void *arg)
{
	struct hand *hand = arg;
	struct sap_crew *crew = hand->crew;

	/* Without a connection of its own it leaves the work to the others. */
	if (!make_ready(hand))
		return NULL;
	while (!atomic_load(&crew->stop)) {
		size_t i = atomic_fetch_add(&crew->next, 1);

		if (i >= crew->n_pieces)
			break;
		hand->code = crew->piece(hand, i, &hand->err);
		if (hand->code < 0) {
			hand->failed = i;
			atomic_store(&crew->stop, true);
		}
	}
	return NULL;
}

/* Pieces are taken in their order, so that all before one that failed are done or failed, too:
 * the first failure is the same however many threads there are. */
static int first_failure(const struct sap_crew *crew, struct sap_err *err)
{
	const struct hand *first = NULL;

	for (unsigned i = 0; i < SAP_JUDGE_THREADS_MAX; i++) {
		const struct hand *hand = &crew->hands[i];

		if (hand->code < 0 && (!first || hand->failed < first->failed))
			first = hand;
	}
	if (first && err)
		*err = first->err;
	return first ? first->code : 0;
}

static int work_all(struct sap_crew *crew, unsigned threads, size_t n,
		    int (*piece)(struct hand *, size_t, struct sap_err *), struct sap_err *err)
{
	sigset_t all, before;

	crew->piece = piece;
	crew->n_pieces = n;
	atomic_store(&crew->next, 0);
	/* Signals are for the thread that was there before. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 1; i < threads; i++)
		crew->hands[i].running =
			pthread_create(&crew->hands[i].thread, NULL, work, &crew->hands[i]) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work(&crew->hands[0]);
	for (unsigned i = 1; i < threads; i++)
		if (crew->hands[i].running)
			pthread_join(crew->hands[i].thread, NULL);
	return first_failure(crew, err);
}

/* ---- units ------------------------------------------------------------------------------ */

static int judge_trial(struct hand *hand, size_t i, struct sap_err *err)
{
	struct sap_trial *t = &hand->crew->trials[i];

	hand->j.out = &hand->found;
	hand->j.trial = i;
	return sap_judge_unit(&hand->j, t->court, &t->unit, &t->n_skipped, err);
}

/* The hand that has found what belongs to the earliest unit, of what was not taken over yet. */
static struct hand *earliest(struct sap_crew *crew, const size_t *taken)
{
	struct hand *first = NULL;
	size_t trial = 0;

	for (unsigned i = 0; i < SAP_JUDGE_THREADS_MAX; i++) {
		struct hand *hand = &crew->hands[i];

		if (taken[i] == hand->j.pending.n)
			continue;
		if (!first || hand->j.pending.v[taken[i]].trial < trial) {
			first = hand;
			trial = hand->j.pending.v[taken[i]].trial;
		}
	}
	return first;
}

/* Room for what all have found. */
static bool make_room(struct sap_judge *j)
{
	size_t n = j->out->list.n;
	void *v;

	for (unsigned i = 0; i < SAP_JUDGE_THREADS_MAX; i++)
		n += j->crew->hands[i].found.list.n;
	if (n > SAP_FINDINGS_MAX)
		return false;
	if (n > j->out->list.cap) {
		v = reallocarray(j->out->list.v, n, sizeof(*j->out->list.v));
		if (!v)
			return false;
		j->out->list.v = v;
		j->out->list.cap = n;
	}
	return true;
}

static int take_over(struct sap_judge *j, struct sap_err *err)
{
	size_t taken[SAP_JUDGE_THREADS_MAX] = { 0 };
	struct hand *hand;

	if (!make_room(j))
		return sap_err_set(err, SAP_ENOMEM, "out of memory, or more than %u findings",
				   SAP_FINDINGS_MAX);
	while ((hand = earliest(j->crew, taken))) {
		size_t i = taken[hand - j->crew->hands]++;
		struct sap_pending *p = SAP_VEC_PUSH(&j->pending, SAP_FINDINGS_MAX);

		if (!p)
			return sap_err_nomem(err);
		*p = hand->j.pending.v[i];
		p->finding = (uint32_t)j->out->list.n;
		j->out->list.v[j->out->list.n++] = hand->found.list.v[i];
	}
	return 0;
}

/* The rest needs no order: what is not judged is sorted in the end. */
static int take_counts(struct sap_judge *j, struct sap_findings *found, struct sap_err *err)
{
	for (unsigned i = 0; i < SAP_STATUSES; i++)
		j->out->n_status[i] += found->n_status[i];
	for (size_t i = 0; i < found->not_judged.n; i++) {
		struct sap_not_judged *to =
			SAP_VEC_PUSH(&j->out->not_judged, SAP_PACKAGES_MAX + SAP_OBJECTS_MAX);

		if (!to)
			return sap_err_nomem(err);
		*to = found->not_judged.v[i];
	}
	memset(found->n_status, 0, sizeof(found->n_status));
	found->list.n = found->not_judged.n = 0;
	return 0;
}

static int judge_together(struct sap_judge *j, unsigned threads, struct sap_trial *trials, size_t n,
			  struct sap_err *err)
{
	int r;

	j->crew->trials = trials;
	r = work_all(j->crew, threads, n, judge_trial, err);
	if (r == 0)
		r = take_over(j, err);
	for (unsigned i = 0; r == 0 && i < SAP_JUDGE_THREADS_MAX; i++) {
		r = take_counts(j, &j->crew->hands[i].found, err);
		j->crew->hands[i].j.pending.n = 0;
	}
	return r;
}

int sap_judge_units(struct sap_judge *j, struct sap_trial *trials, size_t n, struct sap_err *err)
{
	unsigned threads = n < UNITS_MIN ? 1 : count_threads();
	int r = 0;

	if (threads > 1)
		return judge_together(j, threads, trials, n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = sap_judge_unit(j, trials[i].court, &trials[i].unit, &trials[i].n_skipped, err);
	return r;
}

/* ---- findings --------------------------------------------------------------------------- */

/* These are in the list of the owner by now. */
static int enrich_piece(struct hand *hand, size_t i, struct sap_err *err)
{
	struct sap_judge *owner = hand->crew->owner;
	size_t from = i * PIECE, to = from + PIECE;

	hand->j.out = owner->out;
	return sap_judge_enrich_some(&hand->j, owner->pending.v, owner->pending.n, from,
				     to < owner->pending.n ? to : owner->pending.n, err);
}

int sap_judge_enrich_all(struct sap_judge *j, struct sap_err *err)
{
	unsigned threads = j->pending.n < PENDING_MIN ? 1 : count_threads();

	if (threads > 1)
		return work_all(j->crew, threads, (j->pending.n + PIECE - 1) / PIECE, enrich_piece,
				err);
	return sap_judge_enrich_some(j, j->pending.v, j->pending.n, 0, j->pending.n, err);
}
