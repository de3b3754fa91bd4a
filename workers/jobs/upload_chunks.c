/*
 * upload_chunks.c - names of `layout: chunks`: OBJECT/chunk-00000 .. and OBJECT/metadata.json, which
 * {total_size, chunks: [{index, checksum, timestamp}]} describes. Compatible with what an older
 * processor wrote; metadata.json comes last, so who finds it finds all.
 */
#include "upload_int.h"
#include "util.h"

/* n from 1, as parts are; the names count from 0. */
char *
upload_chunk_name(const char *object, int n)
{
	return xasprintf("%s/chunk-%05d", object, n - 1);
}

char *
upload_chunk_metadata(const struct upload *u)
{
	json_t *chunks = json_array(), *doc;
	char *text, date[32];

	wall_format(wall_ms(), date);
	for (int n = 1; n <= u->plan.parts; n++)
		json_array_append_new(chunks, json_pack("{s:i, s:s, s:s}", "index", n - 1, "checksum",
		    upload_check_str(upload_check_find(u->check, n), "sha256"), "timestamp", date));
	doc = json_pack("{s:I, s:o}", "total_size", (json_int_t)u->file.size, "chunks", chunks);
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	return text;
}
