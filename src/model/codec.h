/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts codec: records to a CBOR sequence (RFC 8742) and back.
 *
 * Each record is one definite-length array whose first element is the kind; the fields
 * follow in a fixed order (docs/formats/facts.md). Texts of a target are byte strings, an
 * absent one is an empty byte string. The first record is the header, the last one the end
 * record; a sequence without it was cut off.
 *
 * The decoder distrusts every byte: types, lengths, list sizes, enumerations and the order
 * of records are checked; kinds that it does not know are passed over.
 */
#ifndef SAP_MODEL_CODEC_H
#define SAP_MODEL_CODEC_H

#include "base/buf.h"
#include "base/err.h"
#include "model/record.h"

/* Goes up when a reader of the old version would misunderstand a new file. */
#define SAP_FACTS_VERSION 1

struct sap_facts;

struct sap_rec_header {
	uint32_t version; /* SAP_FACTS_VERSION */
	struct sap_str tool;
	struct sap_str target;
	struct sap_str target_kind;
	bool whole;
	bool with_symbols;
};

/* A sink that appends to a buffer. When the buffer holds more than `flush_at` bytes, flush
 * is called (if set), which takes the bytes and resets it. One record larger than
 * SAP_RECORD_MAX becomes a diagnostic. */
struct sap_encoder {
	struct sap_sink sink; /* first member */
	struct sap_buf buf;
	size_t flush_at;
	int (*flush)(struct sap_encoder *encoder, struct sap_err *err);
	void *ctx; /* for flush */
};

void sap_encoder_init(struct sap_encoder *encoder, size_t flush_at,
		      int (*flush)(struct sap_encoder *encoder, struct sap_err *err), void *ctx);
void sap_encoder_clear(struct sap_encoder *encoder);

int sap_encoder_header(struct sap_encoder *encoder, const struct sap_rec_header *rec,
		       struct sap_err *err);
/* The end of a batch; the last of a sequence. */
int sap_encoder_end(struct sap_encoder *encoder, struct sap_err *err);

/* Decodes into facts. Feed it bytes as they come. */
struct sap_decoder;

struct sap_decoder *sap_decoder_new(struct sap_facts *facts); /* NULL: out of memory */
void sap_decoder_free(struct sap_decoder *decoder);

/* Takes the next bytes. A record larger than 1 MiB may wait for more of them; feed nothing
 * (n 0) when the source is idle to have it taken. Once it has failed it stays failed. SAP_EFORMAT
 * with the offset in the sequence; SAP_ELIMIT; SAP_EUNSUPPORTED for a later version; SAP_ENOMEM. */
int sap_decoder_feed(struct sap_decoder *decoder, const void *bytes, size_t n, struct sap_err *err);

/* True once an end record has come; cleared by the next feed of further bytes. */
bool sap_decoder_ended(const struct sap_decoder *decoder);

/* Says that no more bytes will come: SAP_EFORMAT where they stop inside a record or before
 * the end record. */
int sap_decoder_finish(struct sap_decoder *decoder, struct sap_err *err);

/* Writes facts (finished) as a sequence that decodes to the same facts. */
int sap_facts_encode(const struct sap_facts *facts, struct sap_encoder *encoder,
		     struct sap_err *err);

#endif
