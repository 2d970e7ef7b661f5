/* reflection_client: learns an upstream's services by server reflection (gRPC
 * server-reflection.md): lists the services, asks for the file of each, then for the imports that
 * are missing, all on one stream without waiting in between.  v1 first, v1alpha when the server
 * does not know v1.  Services that cannot be described are left out with a note in the log, unless
 * none is left. */
#pragma once
#include "base/log.h"
#include "gateway/schema/schema.h"

struct upstream;
struct reflection_client;

enum { REFLECTION_TIMEOUT_MS = 10000 }; /* for everything together */

/* on_done is called once: with the schema and its one reference, or with why there is none
 * (borrowed, for people: it says what to do).  It is never called inside reflection_client_start(),
 * and the client is gone when it returns.  up is borrowed and outlives the client; log may be NULL;
 * now_ms is loop_now_ms().  NULL when memory is out. */
struct reflection_client *reflection_client_start(
    struct upstream *up, struct log *log, uint64_t now_ms,
    void (*on_done)(void *arg, struct schema *schema, const struct status *failure), void *arg);
/* on_done is not called any more. */
void reflection_client_cancel(struct reflection_client *r);
