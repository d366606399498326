/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who made a package: words in versions and the makers that are known.
 */
#include <stdarg.h>
#include <stdio.h>

#include "advisory/origin_int.h"

enum sap_origin sap_origin_say(const struct sap_origin_question *q, enum sap_origin origin,
			       const char *fmt, ...)
{
	char text[600];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	if (!sap_arena_str(q->arena, (struct sap_str){ text, (size_t)n }, q->reason))
		*q->reason = sap_str_of(sap_origin_name(origin));
	return origin;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_letter(char c)
{
	c = fold(c);
	return c >= 'a' && c <= 'z';
}

/* prefix: in lower case. */
bool sap_origin_starts(struct sap_str s, struct sap_str prefix)
{
	if (s.n < prefix.n)
		return false;
	for (size_t i = 0; i < prefix.n; i++) {
		if (fold(s.p[i]) != prefix.p[i])
			return false;
	}
	return true;
}

bool sap_origin_eq(struct sap_str s, struct sap_str lower)
{
	return s.n == lower.n && sap_origin_starts(s, lower);
}

/* Whether a list ("a|b|c", lower case; "a*": what begins with it) has s. */
bool sap_origin_in_list(const char *list, struct sap_str s)
{
	struct sap_str rest = sap_str_of(list), item;

	while (rest.n) {
		sap_str_cut(rest, '|', &item, &rest);
		if (item.n && item.p[item.n - 1] == '*') {
			item.n--;
			if (sap_origin_starts(s, item))
				return true;
		} else if (sap_origin_eq(s, item)) {
			return true;
		}
	}
	return false;
}

/* Whether the system, or one that it is like, is in the list. A system that does not say what
 * it is may be any. */
bool sap_origin_system_in(const struct sap_origin_question *q, const char *list)
{
	struct sap_str like = q->like, word;

	if (q->os.n == 0 || sap_origin_in_list(list, q->os))
		return true;
	while (sap_str_word(&like, &word)) {
		if (sap_origin_in_list(list, word))
			return true;
	}
	return false;
}

static bool is_separator(char c)
{
	return c == '~' || c == '+' || c == '-' || c == '.' || c == '_';
}

size_t sap_origin_digits(struct sap_str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && sap_origin_is_digit(s.p[at + n]))
		n++;
	return n;
}

static struct sap_str shown_part(struct sap_str version, size_t from, size_t to)
{
	if (from && is_separator(version.p[from - 1]))
		from--;
	while (to < version.n && (is_letter(version.p[to]) || sap_origin_is_digit(version.p[to]) ||
				  version.p[to] == '.' || version.p[to] == '+'))
		to++;
	if (to - from > 40)
		to = from + 40;
	return (struct sap_str){ version.p + from, to - from };
}

/* Takes the next run of letters off; *at is where to go on. */
bool sap_origin_next_run(struct sap_str version, size_t *at, struct sap_origin_run *run)
{
	size_t from = *at, to, dot;

	while (from < version.n && !is_letter(version.p[from]))
		from++;
	if (from == version.n)
		return false;
	for (to = from; to < version.n && is_letter(version.p[to]);)
		to++;
	*at = to;
	dot = to < version.n && version.p[to] == '.';
	*run = (struct sap_origin_run){
		.word = { version.p + from, to - from },
		.number = { version.p + to + dot, sap_origin_digits(version, to + dot) },
		.before = from ? version.p[from - 1] : '\0',
		.direct = !dot,
		.revision = !memchr(version.p + to, '-', version.n - to) ||
			    memchr(version.p, '~', from),
	};
	return true;
}

static bool word_applies(const struct sap_origin_question *q, const struct sap_origin_word *w,
			 const struct sap_origin_run *run)
{
	if (!sap_origin_eq(run->word, w->text))
		return false;
	if ((w->rule & SAP_WORD_NUMBER) && !(run->direct && run->number.n))
		return false;
	if ((w->rule & SAP_WORD_REVISION) && !run->revision)
		return false;
	if ((w->rule & (SAP_WORD_PLUS | SAP_WORD_TILDE)) &&
	    !((w->rule & SAP_WORD_PLUS) && run->before == '+') &&
	    !((w->rule & SAP_WORD_TILDE) && run->before == '~'))
		return false;
	/* "0ppa1" is as good as "~ppa1". */
	if ((w->rule & SAP_WORD_APART) && run->before && !is_separator(run->before) &&
	    !sap_origin_is_digit(run->before))
		return false;
	return !*w->own || !sap_origin_system_in(q, w->own);
}

const struct sap_origin_word *sap_origin_find_word(const struct sap_origin_question *q,
						   const struct sap_origin_word *words, size_t n,
						   const struct sap_origin_run *run)
{
	if (run->word.n < 2 || run->word.n > 10)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (word_applies(q, &words[i], run))
			return &words[i];
	}
	return NULL;
}

struct sap_str sap_origin_shown(struct sap_str version, const struct sap_origin_run *run)
{
	size_t from = (size_t)(run->word.p - version.p);

	return shown_part(version, from, from + run->word.n);
}

/* Maintainers who are no distribution's: by the domain of the address, by the whole address,
 * or by how the text begins. Lower case. Domains that maintainers of Debian write from too
 * (google.com, nvidia.com, redhat.com, nic.cz ...) are no sign. */
struct maker {
	struct sap_str text;
	const char *own; /* systems that it makes packages for */
};

#define MAKER(text)                    \
	{                              \
		SAP_STR_INIT(text), "" \
	}
#define MAKER_OF(text, own)             \
	{                               \
		SAP_STR_INIT(text), own \
	}

static const struct maker maker_domains[] = {
	MAKER("docker.com"),
	MAKER("nodesource.com"),
	MAKER("nginx.com"),
	MAKER("f5.com"),
	MAKER("hashicorp.com"),
	MAKER("grafana.com"),
	MAKER("zabbix.com"),
	MAKER("zabbix.org"),
	MAKER("elastic.co"),
	MAKER("mongodb.com"),
	MAKER("datadoghq.com"),
	MAKER("gitlab.com"),
	MAKER("percona.com"),
	MAKER("mariadb.com"),
	MAKER("mariadb.org"),
	MAKER("lists.mariadb.org"),
	MAKER("oss.oracle.com"),
	MAKER("mysql.com"),
	MAKER("influxdata.com"),
	MAKER("influxdb.com"),
	MAKER("tailscale.com"),
	MAKER("cloudflare.com"),
	MAKER("brave.com"),
	MAKER("vivaldi.com"),
	MAKER("opera.com"),
	MAKER("spotify.com"),
	MAKER("teamviewer.com"),
	MAKER("anydesk.com"),
	MAKER("zoom.us"),
	MAKER("puppet.com"),
	MAKER("puppetlabs.com"),
	MAKER("chef.io"),
	MAKER("saltproject.io"),
	MAKER("saltstack.com"),
	MAKER("kubernetes.io"),
	MAKER("proxmox.com"),
	MAKER("raspberrypi.com"),
	MAKER("raspberrypi.org"),
	MAKER("rabbitmq.com"),
	MAKER("icinga.com"),
	MAKER("openresty.com"),
	MAKER("openresty.org"),
	MAKER("confluent.io"),
	MAKER("redis.com"),
	MAKER("redis.io"),
	MAKER("netdata.cloud"),
	MAKER("wazuh.com"),
	MAKER("crowdstrike.com"),
	MAKER("newrelic.com"),
	MAKER("splunk.com"),
	MAKER("sophos.com"),
	MAKER("agilebits.com"),
	MAKER("1password.com"),
	MAKER("slack-corp.com"),
	MAKER("skype.net"),
	MAKER("powerdns.com"),
	MAKER("open-xchange.com"),
	MAKER("erlang-solutions.com"),
	MAKER("couchbase.com"),
	MAKER("plesk.com"),
	MAKER("cloudlinux.com"),
	MAKER("armbian.com"),
	MAKER("system76.com"),
	MAKER("mozilla.com"),
	/* Of pacman's packages. */
	MAKER_OF("cachyos.org", "cachyos"),
	MAKER_OF("manjaro.org", "manjaro|manjaro-arm"),
	MAKER_OF("garudalinux.org", "garuda"),
	MAKER("chaotic.cx"),
	MAKER("archlinuxcn.org"),
	MAKER_OF("blackarch.org", "blackarch"),
	MAKER_OF("endeavouros.com", "endeavouros"),
	MAKER_OF("archlinuxarm.org", "archarm"),
};

static const struct sap_str maker_starts[] = {
	SAP_STR_INIT("google cloud "),
	SAP_STR_INIT("kubernetes authors"),
	SAP_STR_INIT("chrome linux team"),
	SAP_STR_INIT("microsoft "),
	SAP_STR_INIT("mysql release engineering"),
	SAP_STR_INIT("mariadb developers"),
	SAP_STR_INIT("nginx packaging"),
	SAP_STR_INIT("oracle corporation"),
	SAP_STR_INIT("cudatools"),
	SAP_STR_INIT("syncthing release management"),
	SAP_STR_INIT("grafana labs"),
	SAP_STR_INIT("hashicorp"),
	SAP_STR_INIT("valve corporation"),
};

/* "Name <someone@host>": "host" and "someone"; empty where there is no '@'. */
static struct sap_str address(struct sap_str maintainer, struct sap_str *user)
{
	size_t at = maintainer.n, from, to;

	*user = (struct sap_str){ 0 };
	while (at && maintainer.p[at - 1] != '@')
		at--;
	if (!at)
		return (struct sap_str){ 0 };
	for (from = at - 1; from; from--) {
		char c = maintainer.p[from - 1];

		if (c == '<' || c == ' ' || c == '"')
			break;
	}
	*user = (struct sap_str){ maintainer.p + from, at - 1 - from };
	for (to = at; to < maintainer.n; to++) {
		char c = maintainer.p[to];

		if (c == '>' || c == ' ' || c == '"' || c == ',')
			break;
	}
	return (struct sap_str){ maintainer.p + at, to - at };
}

bool sap_origin_is_maker(const struct sap_origin_question *q, struct sap_str maintainer)
{
	struct sap_str user, host = address(maintainer, &user);

	for (size_t i = 0; i < SAP_ORIGIN_N(maker_domains) && host.n; i++) {
		const struct maker *m = &maker_domains[i];

		if (sap_origin_eq(host, m->text))
			return !*m->own || !q->os.n || !sap_origin_in_list(m->own, q->os);
	}
	for (size_t i = 0; i < SAP_ORIGIN_N(maker_starts); i++) {
		if (sap_origin_starts(maintainer, maker_starts[i]))
			return true;
	}
	return false;
}

/* root@somewhere, someone@hostname: what tools write for a person who has not said who they
 * are (checkinstall, fpm, the kernel's "make deb-pkg"). */
bool sap_origin_is_nobody(struct sap_str maintainer)
{
	struct sap_str user, host = address(maintainer, &user);

	if (!host.n)
		return false;
	return sap_origin_eq(user, SAP_STR("root")) || !memchr(host.p, '.', host.n) ||
	       sap_origin_eq(host, SAP_STR("localhost.localdomain"));
}
