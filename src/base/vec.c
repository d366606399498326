/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <stdint.h>

bool sap_vec_grow(void **v, size_t n, size_t *cap, size_t size, size_t max)
{
	size_t want = *cap ? *cap + *cap / 2 + 1 : 8;
	void *grown;

	if (n >= max)
		return false;
	if (want > max)
		want = max;
	if (want > SIZE_MAX / size)
		return false;
	grown = realloc(*v, want * size);
	if (!grown)
		return false;
	*v = grown;
	*cap = want;
	return true;
}
