/* banner: what a person at a terminal sees when the gateway serves: where, what, from which schema,
 * and one curl line that works. */
#pragma once
#include "gateway/config.h"
#include "gateway/schema/schema.h"

#include <stdio.h>

enum { BANNER_URL_LEN = NET_TEXT_LEN + 16 };

void banner_print(const struct config *config, const struct schema *schema, FILE *out);
/* "http://127.0.0.1:8080": how to reach a listener from this machine; its address when it is a unix
 * socket. */
void banner_url(const struct net_address *address, char url[static BANNER_URL_LEN]);
