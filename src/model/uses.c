/* SPDX-License-Identifier: Apache-2.0 */
#include "model/uses.h"

/*
 * Imported functions that make an object load more, and the nsswitch.conf database that the
 * C library asks for each. getgrouplist and initgroups ask "initgroups", which nearly no
 * nsswitch.conf has, and then "group". Not here: glob and wordexp, which ask "passwd" only
 * for a pattern with a tilde; and functions that read a file given to them (fgetpwent).
 */
struct use {
	struct sap_str name;
	struct sap_str database;
};

/* Sorted by name. */
static const struct use uses[] = {
	{ SAP_STR_INIT("cuserid"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("dlmopen"), { NULL, 0 } },
	{ SAP_STR_INIT("dlopen"), { NULL, 0 } },
	{ SAP_STR_INIT("endaliasent"), SAP_STR_INIT("aliases") },
	{ SAP_STR_INIT("endgrent"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("endhostent"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("endnetent"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("endnetgrent"), SAP_STR_INIT("netgroup") },
	{ SAP_STR_INIT("endprotoent"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("endpwent"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("endrpcent"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("endservent"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("endsgent"), SAP_STR_INIT("gshadow") },
	{ SAP_STR_INIT("endspent"), SAP_STR_INIT("shadow") },
	{ SAP_STR_INIT("ether_hostton"), SAP_STR_INIT("ethers") },
	{ SAP_STR_INIT("ether_ntohost"), SAP_STR_INIT("ethers") },
	{ SAP_STR_INIT("getaddrinfo"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("getaddrinfo_a"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("getaliasbyname"), SAP_STR_INIT("aliases") },
	{ SAP_STR_INIT("getaliasbyname_r"), SAP_STR_INIT("aliases") },
	{ SAP_STR_INIT("getaliasent"), SAP_STR_INIT("aliases") },
	{ SAP_STR_INIT("getaliasent_r"), SAP_STR_INIT("aliases") },
	{ SAP_STR_INIT("getgrent"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("getgrent_r"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("getgrgid"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("getgrgid_r"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("getgrnam"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("getgrnam_r"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("getgrouplist"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("gethostbyaddr"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostbyaddr_r"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostbyname"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostbyname2"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostbyname2_r"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostbyname_r"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostent"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostent_r"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("gethostid"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("getlogin"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getlogin_r"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getnameinfo"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("getnetbyaddr"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("getnetbyaddr_r"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("getnetbyname"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("getnetbyname_r"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("getnetent"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("getnetent_r"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("getnetgrent"), SAP_STR_INIT("netgroup") },
	{ SAP_STR_INIT("getnetgrent_r"), SAP_STR_INIT("netgroup") },
	{ SAP_STR_INIT("getprotobyname"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("getprotobyname_r"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("getprotobynumber"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("getprotobynumber_r"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("getprotoent"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("getprotoent_r"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("getpublickey"), SAP_STR_INIT("publickey") },
	{ SAP_STR_INIT("getpw"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getpwent"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getpwent_r"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getpwnam"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getpwnam_r"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getpwuid"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getpwuid_r"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("getrpcbyname"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("getrpcbyname_r"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("getrpcbynumber"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("getrpcbynumber_r"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("getrpcent"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("getrpcent_r"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("getsecretkey"), SAP_STR_INIT("publickey") },
	{ SAP_STR_INIT("getservbyname"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("getservbyname_r"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("getservbyport"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("getservbyport_r"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("getservent"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("getservent_r"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("getsgent"), SAP_STR_INIT("gshadow") },
	{ SAP_STR_INIT("getsgent_r"), SAP_STR_INIT("gshadow") },
	{ SAP_STR_INIT("getsgnam"), SAP_STR_INIT("gshadow") },
	{ SAP_STR_INIT("getsgnam_r"), SAP_STR_INIT("gshadow") },
	{ SAP_STR_INIT("getspent"), SAP_STR_INIT("shadow") },
	{ SAP_STR_INIT("getspent_r"), SAP_STR_INIT("shadow") },
	{ SAP_STR_INIT("getspnam"), SAP_STR_INIT("shadow") },
	{ SAP_STR_INIT("getspnam_r"), SAP_STR_INIT("shadow") },
	{ SAP_STR_INIT("initgroups"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("innetgr"), SAP_STR_INIT("netgroup") },
	{ SAP_STR_INIT("iruserok"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("iruserok_af"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("netname2user"), SAP_STR_INIT("publickey") },
	{ SAP_STR_INIT("pam_start"), { NULL, 0 } },
	{ SAP_STR_INIT("pam_start_confdir"), { NULL, 0 } },
	{ SAP_STR_INIT("rcmd"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("rcmd_af"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("rexec"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("rexec_af"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("ruserok"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("ruserok_af"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("setaliasent"), SAP_STR_INIT("aliases") },
	{ SAP_STR_INIT("setgrent"), SAP_STR_INIT("group") },
	{ SAP_STR_INIT("sethostent"), SAP_STR_INIT("hosts") },
	{ SAP_STR_INIT("setnetent"), SAP_STR_INIT("networks") },
	{ SAP_STR_INIT("setnetgrent"), SAP_STR_INIT("netgroup") },
	{ SAP_STR_INIT("setprotoent"), SAP_STR_INIT("protocols") },
	{ SAP_STR_INIT("setpwent"), SAP_STR_INIT("passwd") },
	{ SAP_STR_INIT("setrpcent"), SAP_STR_INIT("rpc") },
	{ SAP_STR_INIT("setservent"), SAP_STR_INIT("services") },
	{ SAP_STR_INIT("setsgent"), SAP_STR_INIT("gshadow") },
	{ SAP_STR_INIT("setspent"), SAP_STR_INIT("shadow") },
};

enum { USES = sizeof(uses) / sizeof(uses[0]) };

_Static_assert(USES <= SAP_USES_MAX, "SAP_USES_MAX is too small");

int sap_use_index(struct sap_str function)
{
	int lo = 0, hi = USES;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;
		int order = sap_str_cmp(uses[mid].name, function);

		if (order == 0)
			return mid;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

struct sap_str sap_use_name(unsigned index)
{
	return index < USES ? uses[index].name : (struct sap_str){ NULL, 0 };
}

struct sap_str sap_use_nss_database(struct sap_str function)
{
	int i = sap_use_index(function);

	return i < 0 ? (struct sap_str){ NULL, 0 } : uses[i].database;
}
