/* failure: a status that is not OK, for people: name, message, and the details in clear
 * (google/rpc/status.proto, error_details.proto). */
#pragma once
#include "gateway/schema/schema.h"

#include <stdio.h>

/* The types of the details are looked up in `schema`; a schema knows those of google.rpc. */
void failure_print(const struct status *status, const struct schema *schema, FILE *out);
