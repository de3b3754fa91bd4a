/*
 * conf.c - the config a process was handed: JSON in a sealed memfd, read by dotted path.
 *
 * It checks nothing about meaning (supervisor/conf*.c did, once): a key that is missing
 * or of another type is a bug of ours, so it is fatal and says which.
 */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "log_quota.h"
#include "util.h"

#define CONF_BYTES_MAX (8 << 20)

json_t *
conf_read_fd(int fd)
{
	struct stat st;
	char *buf;
	ssize_t n;
	json_t *conf;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size <= 0 || st.st_size > CONF_BYTES_MAX) {
		errno = EBADMSG;
		return NULL;
	}
	buf = xmalloc((size_t)st.st_size);
	/* The offset is shared with whoever else holds this memfd: pread leaves it alone. */
	n = pread(fd, buf, (size_t)st.st_size, 0);
	conf = n == st.st_size ? json_loadb(buf, (size_t)n, 0, NULL) : NULL;
	free(buf);
	if (!json_is_object(conf)) {
		json_decref(conf);
		errno = EBADMSG;
		return NULL;
	}
	return conf;
}

int
conf_write_memfd(const json_t *conf)
{
	char *text = json_dumps(conf, JSON_COMPACT);
	size_t len;
	int saved, fd = -1;

	if (!text) {
		errno = EINVAL;
		return -1;
	}
	len = strlen(text);
	fd = memfd_create("millrace-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && (write(fd, text, len) != (ssize_t)len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	free(text);
	return fd;
}

json_t *
conf_get(const json_t *conf, const char *path)
{
	const json_t *at = conf;

	while (at) {
		size_t n = strcspn(path, ".");
		char key[128];

		if (n >= sizeof key)
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		at = json_object_get(at, key);
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	return (json_t *)at;
}

int64_t
conf_int(const json_t *conf, const char *path)
{
	const json_t *v = conf_get(conf, path);

	if (!json_is_integer(v))
		fatalx("config: no integer %s in the section of this process", path);
	return json_integer_value(v);
}

bool
conf_bool(const json_t *conf, const char *path)
{
	const json_t *v = conf_get(conf, path);

	if (!json_is_boolean(v))
		fatalx("config: no boolean %s in the section of this process", path);
	return json_is_true(v);
}

const char *
conf_str(const json_t *conf, const char *path)
{
	const json_t *v = conf_get(conf, path);

	if (!json_is_string(v))
		fatalx("config: no string %s in the section of this process", path);
	return json_string_value(v);
}

bool
conf_event_wanted(const json_t *conf, const char *event)
{
	return json_is_true(json_object_get(json_object_get(conf, "wanted_events"), event));
}

const char *
conf_s3_given(const json_t *conf)
{
	static const char *const keys[] = { "storage.s3.endpoint", "storage.s3.bucket", "storage.s3.access_key",
		"storage.s3.secret_key" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (conf_str(conf, keys[i])[0] != '\0')
			return keys[i];
	return NULL;
}

void
conf_apply_log(const json_t *conf)
{
	const json_t *format = conf_get(conf, "log.format"), *level = conf_get(conf, "log.level");
	const json_t *lines = conf_get(conf, "log.foreign_lines");
	enum log_level l;

	if (json_is_string(format))
		log_set_format(strcmp(json_string_value(format), "json") == 0 ? LOG_JSON : LOG_LOGFMT);
	if (json_is_string(level) && log_level_parse(json_string_value(level), &l) == 0)
		log_set_level(l);
	if (json_is_integer(lines))
		log_quota_set((unsigned)json_integer_value(lines));
}
