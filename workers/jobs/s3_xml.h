/* s3_xml.h - answers of S3, flattened: path and text of each element at its end. Pure. */
#ifndef MILLRACE_S3_XML_H
#define MILLRACE_S3_XML_H

#include <stddef.h>

#define S3_XML_PATH 256
#define S3_XML_TEXT 4096	/* bytes of one element's text that are kept */
#define S3_XML_DEPTH 8

/* path "ListPartsResult/Part/ETag". Containers come, too, after what is in them, with "". */
typedef void (*s3_xml_cb)(const char *path, const char *text, void *ctx);

/* 0, or -1: not well-formed, too deep, or with a document type (nobody's answer has one). */
int s3_xml_parse(const char *in, size_t len, s3_xml_cb cb, void *ctx);
#endif
