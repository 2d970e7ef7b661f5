/* refusal: what the front answers by itself, without any protocol: the exchange ends with it and is
 * counted as refused. */
#pragma once
#include "gateway/front/exchange_front.h"

/* In the form of every JSON error; the code follows from the HTTP status.  `reason` is a JSON
 * string's content and lives as long as the exchange. */
void refusal_answer(struct exchange *ex, int http_status, const char *reason);
/* The refusal of a call: gRPC-Web clients hear of it by a status with `code`, others by HTTP as
 * above. */
void refusal_answer_call(struct exchange *ex, int http_status, enum status_code code,
                         const char *reason);
