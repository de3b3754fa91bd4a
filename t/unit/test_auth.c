/* auth.c: keys, signatures, their absence, and everything that must not open a stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/auth.h"
#include "supervisor/supervisor.h"

#define NOW 1700000000

static json_t *keys;
static char *hash_a, *hash_b;

static int
setup(void **state)
{
	hash_a = auth_hash_key("s3cret/+ key");
	hash_b = auth_hash_key("second");
	keys = json_pack("{s:[s,s], s:s, s:[], s:i, s:s}", "alice", hash_a, hash_b, "bob", hash_b,
	    "nobody", "broken", 7, "torn", "sha256:00");
	return keys == NULL;
}

static int
teardown(void **state)
{
	json_decref(keys);
	free(hash_a);
	free(hash_b);
	return 0;
}

static enum auth_verdict
check(const char *name, const char *query)
{
	return auth_check(keys, NULL, "", name, query, NOW);
}

static void
test_keys(void **state)
{
	assert_int_equal(check("alice", "key=s3cret/+%20key"), AUTH_OK);
	assert_int_equal(check("alice", "?x=1&key=second"), AUTH_OK);
	assert_int_equal(check("alice", "key=second&x"), AUTH_OK);
	assert_int_equal(check("alice", "key=Second"), AUTH_BAD_KEY);
	assert_int_equal(check("alice", "key=secon"), AUTH_BAD_KEY);
	assert_int_equal(check("alice", "xkey=second"), AUTH_NO_KEY);
	assert_int_equal(check("alice", ""), AUTH_NO_KEY);
	assert_int_equal(check("alice", "key="), AUTH_NO_KEY);
	assert_int_equal(check("alice", "key=%0"), AUTH_NO_KEY);
	assert_int_equal(check("alice", "key=second%00x"), AUTH_NO_KEY);
	assert_int_equal(check("bob", "key=second"), AUTH_OK);
	assert_int_equal(check("bob", "key=s3cret/+%20key"), AUTH_BAD_KEY);
}

static void
test_unusable_entries_let_nobody_in(void **state)
{
	const char *const names[] = { "nobody", "broken", "torn" };
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(check(names[i], "key=second"), AUTH_BAD_KEY);
		assert_int_equal(check(names[i], ""), AUTH_NO_KEY);
	}
}

static void
test_star_and_open(void **state)
{
	json_t *star = json_copy(keys);

	assert_int_equal(check("carol", ""), AUTH_OK);
	assert_int_equal(check("carol", "key=whatever"), AUTH_OK);
	json_object_set_new(star, "*", json_string(hash_a));
	assert_int_equal(auth_check(star, NULL, "", "carol", "", NOW), AUTH_NO_KEY);
	assert_int_equal(auth_check(star, NULL, "", "carol", "key=second", NOW), AUTH_BAD_KEY);
	assert_int_equal(auth_check(star, NULL, "", "carol", "key=s3cret/+%20key", NOW), AUTH_OK);
	assert_int_equal(auth_check(star, NULL, "", "bob", "key=s3cret/+%20key", NOW), AUTH_BAD_KEY);
	json_decref(star);
}

static void
test_signature(void **state)
{
	char *good = auth_sign("topsecret", "dora", NOW + 60);
	char *old = auth_sign("topsecret", "dora", NOW - 1), *bad = strdup(good);
	char both[400];

	assert_int_equal(auth_check(keys, NULL, "topsecret", "dora", good, NOW), AUTH_OK);
	assert_int_equal(auth_check(keys, NULL, "topsecret", "dora", old, NOW), AUTH_EXPIRED);
	assert_int_equal(auth_check(keys, NULL, "topsecret", "dorb", good, NOW), AUTH_BAD_SIGNATURE);
	assert_int_equal(auth_check(keys, NULL, "other", "dora", good, NOW), AUTH_BAD_SIGNATURE);
	assert_int_equal(auth_check(keys, NULL, "topsecret", "dora", "", NOW), AUTH_NO_KEY);
	bad[strlen(bad) - 1] ^= 1;
	assert_int_equal(auth_check(keys, NULL, "topsecret", "dora", bad, NOW), AUTH_BAD_SIGNATURE);
	bad[4] = '9';	/* a later date without a new signature */
	assert_int_equal(auth_check(keys, NULL, "topsecret", "dora", bad, NOW), AUTH_BAD_SIGNATURE);
	/* With both configured either is enough; a bad signature beside a good key does not hurt. */
	assert_int_equal(auth_check(keys, NULL, "topsecret", "alice", "key=second", NOW), AUTH_OK);
	snprintf(both, sizeof(both), "%s&key=second", bad);
	assert_int_equal(auth_check(keys, NULL, "topsecret", "alice", both, NOW), AUTH_OK);
	assert_int_equal(auth_check(keys, NULL, "topsecret", "alice", "key=x", NOW), AUTH_BAD_KEY);
	/* Without a secret a signature is no proof. */
	assert_int_equal(auth_check(keys, NULL, "", "alice", good, NOW), AUTH_NO_KEY);
	free(good);
	free(old);
	free(bad);
}

static void
test_signature_known_answer(void **state)
{
	/* printf 'alice\n1700000000' | openssl dgst -sha256 -hmac topsecret */
	char *got = auth_sign("topsecret", "alice", 1700000000);

	assert_string_equal(got, "exp=1700000000&sig=a6efa6e9fd7ae239133773531ba519c0adb357f352a1ea7dfbed02b61316807c");
	free(got);
}

static void
test_param(void **state)
{
	char out[8];

	assert_int_equal(auth_param("a=1&b=%41b", "b", out, sizeof(out)), 0);
	assert_string_equal(out, "Ab");
	assert_int_equal(auth_param("b=1234567", "b", out, sizeof(out)), 0);
	assert_int_equal(auth_param("b=12345678", "b", out, sizeof(out)), -1);
	assert_int_equal(auth_param("&&b", "b", out, sizeof(out)), -1);
	assert_int_equal(auth_param("b=%zz", "b", out, sizeof(out)), -1);
	assert_int_equal(auth_param("&&b=x&b=y", "b", out, sizeof(out)), 0);
	assert_string_equal(out, "x");
}

static void
test_identity(void **state)
{
	uint8_t a[AUTH_IDENTITY], b[AUTH_IDENTITY];

	auth_identity("key=abc&exp=1", a);
	auth_identity("x=1&key=ab%63", b);
	assert_memory_equal(a, b, AUTH_IDENTITY);
	auth_identity("key=abd", b);
	assert_memory_not_equal(a, b, AUTH_IDENTITY);
	auth_identity("exp=1&sig=aa", a);
	auth_identity("exp=2&sig=bb", b);
	assert_memory_equal(a, b, AUTH_IDENTITY);
	auth_identity("", b);
	assert_memory_not_equal(a, b, AUTH_IDENTITY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_unusable_entries_let_nobody_in),
		cmocka_unit_test(test_star_and_open),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_signature_known_answer),
		cmocka_unit_test(test_param),
		cmocka_unit_test(test_identity),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
