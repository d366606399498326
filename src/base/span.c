/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int sap_str_cmp(struct sap_str a, struct sap_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

struct sap_str sap_str_trim(struct sap_str s)
{
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

bool sap_str_cut(struct sap_str s, char sep, struct sap_str *head, struct sap_str *rest)
{
	const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;

	if (!at) {
		*head = s;
		*rest = (struct sap_str){ s.p ? s.p + s.n : NULL, 0 };
		return false;
	}
	*head = (struct sap_str){ s.p, (size_t)(at - s.p) };
	*rest = sap_str_skip(s, head->n + 1);
	return true;
}

bool sap_str_line(struct sap_str *text, struct sap_str *line)
{
	struct sap_str all = *text;

	if (all.n == 0)
		return false;
	sap_str_cut(all, '\n', line, text);
	return true;
}

bool sap_str_word(struct sap_str *text, struct sap_str *word)
{
	struct sap_str s = *text;
	size_t n = 0;

	while (s.n && is_blank(s.p[0]))
		s = sap_str_skip(s, 1);
	if (s.n == 0) {
		*text = s;
		return false;
	}
	while (n < s.n && !is_blank(s.p[n]))
		n++;
	*word = (struct sap_str){ s.p, n };
	*text = sap_str_skip(s, n);
	return true;
}

bool sap_str_u64(struct sap_str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

struct sap_str sap_path_base(struct sap_str path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return slash ? sap_str_skip(path, (size_t)(slash - path.p) + 1) : path;
}

struct sap_str sap_path_dir(struct sap_str path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	if (!slash)
		return (struct sap_str){ path.p, 0 };
	if (slash == path.p)
		return (struct sap_str){ path.p, 1 };
	return (struct sap_str){ path.p, (size_t)(slash - path.p) };
}
