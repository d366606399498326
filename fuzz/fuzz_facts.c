/* SPDX-License-Identifier: Apache-2.0 */
/* A facts file: decoded, finished, resolved in, owned, and written again. */
#include "model/codec.h"
#include "model/facts.h"
#include "model/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct sap_facts *facts)
{
	struct sap_tree *tree = sap_tree_new(facts);
	struct sap_encoder encoder;
	struct sap_err err;

	if (tree) {
		struct sap_str out;

		sap_tree_own(tree, facts, &err);
		for (size_t i = 0; i < facts->symlinks.n && i < 64; i++)
			sap_tree_canonical(tree, sap_facts_str(facts, facts->symlinks.v[i].path),
					   &out);
		for (size_t i = 0; i < facts->objects.n && i < 64; i++)
			sap_tree_lookup(tree, sap_facts_str(facts, facts->objects.v[i].path), NULL);
	}
	sap_tree_free(tree);
	sap_encoder_init(&encoder, 0, NULL, NULL);
	sap_facts_encode(facts, &encoder, &err);
	sap_encoder_clear(&encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_decoder *decoder = facts ? sap_decoder_new(facts) : NULL;
	struct sap_err err;
	size_t half = size / 2;

	/* In two pieces, so that records are cut. */
	if (decoder && sap_decoder_feed(decoder, data, half, &err) == 0 &&
	    sap_decoder_feed(decoder, data + half, size - half, &err) == 0)
		sap_decoder_finish(decoder, &err);
	if (decoder && sap_facts_finish(facts, &err) == 0)
		use(facts);
	sap_decoder_free(decoder);
	sap_facts_free(facts);
	return 0;
}
