/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of record, as numbers on the wire. Never reuse one.
 */
#ifndef SAP_MODEL_CODEC_INT_H
#define SAP_MODEL_CODEC_INT_H

enum sap_record_kind {
	SAP_RECORD_HEADER = 0,
	SAP_RECORD_OS = 1,
	SAP_RECORD_PACKAGE = 2,
	SAP_RECORD_FILE = 3,
	SAP_RECORD_SYMLINK = 4,
	SAP_RECORD_DIR = 5,
	SAP_RECORD_OTHER = 6,
	SAP_RECORD_LOOKUP = 7,
	SAP_RECORD_OBJECT = 8,
	SAP_RECORD_SYMBOLS = 9,
	SAP_RECORD_CACHE_ENTRY = 10,
	SAP_RECORD_SETTING = 11,
	SAP_RECORD_SERVICE = 12,
	SAP_RECORD_DIAGNOSTIC = 13,
	SAP_RECORD_STATS = 14,
	SAP_RECORD_END = 15,
};

/* How many elements each record has, its kind included. A record may have more (fields added
 * later, passed over) but never fewer. */
enum sap_record_length {
	SAP_LENGTH_HEADER = 8,
	SAP_LENGTH_OS = 12,
	SAP_LENGTH_PACKAGE = 20,
	SAP_LENGTH_FILE = 6,
	SAP_LENGTH_SYMLINK = 3,
	SAP_LENGTH_DIR = 2,
	SAP_LENGTH_OTHER = 4,
	SAP_LENGTH_LOOKUP = 4,
	SAP_LENGTH_OBJECT = 35,
	SAP_LENGTH_SYMBOLS = 3,
	SAP_LENGTH_CACHE_ENTRY = 7,
	SAP_LENGTH_SETTING = 7,
	SAP_LENGTH_SERVICE = 7,
	SAP_LENGTH_DIAGNOSTIC = 5,
	SAP_LENGTH_STATS = 8,
	SAP_LENGTH_END = 1,
};

#define SAP_FACTS_MAGIC "sapper-facts"

#endif
