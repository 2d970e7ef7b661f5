/* calculator_streams: the handlers of the calculator's streaming methods, for its table in
 * service_calculator.c, and the delay field that several requests have. */
#pragma once
#include "backend/server_call.h"
#include "calculator.pb-c.h"

enum {
    CALCULATOR_STREAM_STATE = 640, /* bytes of state that each of these methods needs */
    CALCULATOR_MAX_DELAY_MS = 10 * 60 * 1000,
    CALCULATOR_MAX_FLOOD = 4 * 1024 * 1024, /* bytes of payload per message */
};

/* Reads a delay; NULL is none.  False when it is negative, malformed or above
 * CALCULATOR_MAX_DELAY_MS: the call has then failed. */
bool calculator_delay(struct server_call *call, const Google__Protobuf__Duration *delay,
                      uint64_t *ms);

void prime_factors(struct server_call *call, const ProtobufCMessage *request);
void prime_factors_step(struct server_call *call);
void converge(struct server_call *call, const ProtobufCMessage *request);
void converge_step(struct server_call *call);
void statistics(struct server_call *call, const ProtobufCMessage *request);
void statistics_end(struct server_call *call);
void running_total(struct server_call *call, const ProtobufCMessage *request);
void flood(struct server_call *call, const ProtobufCMessage *request);
void flood_step(struct server_call *call);
