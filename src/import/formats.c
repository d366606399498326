/* SPDX-License-Identifier: Apache-2.0 */
#include "import/import.h"

/* Those that say what they are come first, those that are told by their shape last. */
const struct sap_import_format *const sap_import_formats[] = {
	&sap_format_rows,
	&sap_format_csaf,
	&sap_format_openvex,
	&sap_format_cyclonedx,
	&sap_format_cve,
	&sap_format_kev_json,
	&sap_format_secdb,
	&sap_format_arch,
	&sap_format_osv,
	&sap_format_debian_json,
	&sap_format_kev_csv,
	&sap_format_epss,
	&sap_format_functions,
	&sap_format_debian_dsa,
	&sap_format_debian_cve,
	&sap_format_ubuntu,
	NULL,
};
