/* webrtc.ice_servers: what an entry may be, and the Link fields made of it (RFC 9725 section 4.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "ice_server.h"

static void
entries(void **state)
{
	static const char *const good[] = { "stun:stun.example.org:3478", "stuns:[2001:db8::1]",
	    "turn:turn.example.org?transport=udp user pass", "turns:t:443   u   p" };
	static const char *const bad[] = { "", "stun:", "stun: x", "http://x", "stun:a b", "turn:a", "turn:a user",
	    "turn:a user pass more", "stun:a\r\nSet-Cookie:x", "turn:a u\"s p", "stun:<a>", "stun:\xc3\xa4" };
	char longer[ICE_SERVER_MAX + 2] = "stun:";

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(ice_server_check(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(ice_server_check(bad[i]));
	memset(longer + 5, 'a', ICE_SERVER_MAX - 5);
	assert_null(ice_server_check(longer));
	longer[ICE_SERVER_MAX] = 'a';
	assert_non_null(ice_server_check(longer));
}

static void
links(void **state)
{
	json_t *list = json_pack("[s, s]", "stun:stun.example.org", "turn:turn.example.org?transport=udp user pass");
	char out[ICE_SERVER_LINKS], longest[ICE_SERVER_MAX + 1];

	ice_server_links(list, out);
	assert_string_equal(out, "Link: <stun:stun.example.org>; rel=\"ice-server\"\r\n"
	    "Link: <turn:turn.example.org?transport=udp>; rel=\"ice-server\"; username=\"user\"; credential=\"pass\"; "
	    "credential-type=\"password\"\r\n");
	json_array_clear(list);
	ice_server_links(list, out);
	assert_string_equal(out, "");
	memset(longest, 'a', ICE_SERVER_MAX);
	longest[ICE_SERVER_MAX] = '\0';
	memcpy(longest, "turn:b u ", 9);
	for (int i = 0; i <= ICE_SERVERS_MAX; i++)
		json_array_append_new(list, json_string(longest));
	ice_server_links(list, out);
	assert_true(strlen(out) < ICE_SERVER_LINKS - 1);
	assert_string_equal(out + strlen(out) - 2, "\r\n");
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(entries), cmocka_unit_test(links) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
