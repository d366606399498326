/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/catalog.h"

int sap_catalog_read(struct sap_catalog *catalog, struct sap_err *err)
{
	int r = sap_catalog_dpkg(catalog, err);

	if (r == 0)
		r = sap_catalog_rpm(catalog, err);
	if (r == 0)
		r = sap_catalog_apk(catalog, err);
	if (r == 0)
		r = sap_catalog_pacman(catalog, err);
	return r;
}
