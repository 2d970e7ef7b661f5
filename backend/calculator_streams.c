#include "backend/calculator_streams.h"

#include "backend/arithmetic.h"

#include <math.h>

bool calculator_delay(struct server_call *call, const Google__Protobuf__Duration *delay,
                      uint64_t *ms)
{
    *ms = 0;
    if (!delay)
        return true;
    bool whole = delay->nanos > -1000000000 && delay->nanos < 1000000000;
    if (delay->seconds < 0 || delay->nanos < 0 || !whole) {
        server_call_fail_field(call, "delay", "must be a duration of zero or more");
        return false;
    }
    if (delay->seconds <= CALCULATOR_MAX_DELAY_MS / 1000)
        *ms = (uint64_t)delay->seconds * 1000 + ((uint64_t)delay->nanos + 999999) / 1000000;
    if (delay->seconds > CALCULATOR_MAX_DELAY_MS / 1000 || *ms > CALCULATOR_MAX_DELAY_MS) {
        server_call_fail_field(call, "delay", "must be at most %d seconds",
                               CALCULATOR_MAX_DELAY_MS / 1000);
        return false;
    }
    return true;
}

struct prime_factors {
    uint64_t factors[FACTORS_MAX];
    unsigned len, sent;
    uint64_t delay_ms;
};

void prime_factors(struct server_call *call, const ProtobufCMessage *request)
{
    const PrimeFactorsRequest *in = (const PrimeFactorsRequest *)request;
    struct prime_factors *state = server_call_state(call);
    if (in->number < 2) {
        server_call_fail_field(call, "number", "must be 2 or greater");
        return;
    }
    if (!calculator_delay(call, in->delay, &state->delay_ms))
        return;
    state->len = factors_find(in->number, state->factors);
    server_call_sleep(call, state->delay_ms);
}

void prime_factors_step(struct server_call *call)
{
    struct prime_factors *state = server_call_state(call);
    PrimeFactor reply = PRIME_FACTOR__INIT;
    reply.factor = state->factors[state->sent];
    reply.index = state->sent++;
    server_call_reply(call, &reply.base);
    if (state->sent == state->len)
        server_call_finish(call);
    else
        server_call_sleep(call, state->delay_ms);
}

struct converge {
    struct newton newton;
    uint64_t delay_ms;
};

void converge(struct server_call *call, const ProtobufCMessage *request)
{
    static const double default_tolerance = 1e-12;
    const ConvergeRequest *in = (const ConvergeRequest *)request;
    struct converge *state = server_call_state(call);
    if (in->value < 0) {
        server_call_fail_field(call, "value", "square root of a negative number");
    } else if (!isfinite(in->value)) {
        server_call_fail_field(call, "value", "must be a finite number");
    } else if (!(in->tolerance >= 0)) {
        server_call_fail_field(call, "tolerance", "must be zero or more");
    } else if (calculator_delay(call, in->delay, &state->delay_ms)) {
        newton_init(&state->newton, in->value,
                    in->tolerance > 0 ? in->tolerance : default_tolerance);
        server_call_sleep(call, state->delay_ms);
    }
}

void converge_step(struct server_call *call)
{
    struct converge *state = server_call_state(call);
    ConvergeStep reply = CONVERGE_STEP__INIT;
    bool more = newton_next(&state->newton);
    reply.step = state->newton.step;
    reply.estimate = state->newton.estimate;
    reply.error = state->newton.error;
    server_call_reply(call, &reply.base);
    if (more)
        server_call_sleep(call, state->delay_ms);
    else
        server_call_finish(call);
}

void statistics(struct server_call *call, const ProtobufCMessage *request)
{
    running_statistics_add(server_call_state(call), ((const Number *)request)->value);
}

void statistics_end(struct server_call *call)
{
    const struct running_statistics *state = server_call_state(call);
    StatisticsReply reply = STATISTICS_REPLY__INIT;
    reply.count = state->count;
    reply.sum = state->sum;
    reply.mean = state->mean;
    reply.variance = state->count ? state->squares / (double)state->count : 0;
    reply.min = state->min;
    reply.max = state->max;
    server_call_answer(call, &reply.base);
}

void running_total(struct server_call *call, const ProtobufCMessage *request)
{
    struct running_statistics *state = server_call_state(call);
    running_statistics_add(state, ((const Number *)request)->value);
    RunningTotalReply reply = RUNNING_TOTAL_REPLY__INIT;
    reply.total = state->sum;
    reply.count = state->count;
    server_call_reply(call, &reply.base);
}

struct flood {
    uint64_t count, delay_ms;
    FloodReply reply;
};

void flood(struct server_call *call, const ProtobufCMessage *request)
{
    const FloodRequest *in = (const FloodRequest *)request;
    struct flood *state = server_call_state(call);
    if (in->size > CALCULATOR_MAX_FLOOD) {
        server_call_fail_field(call, "size", "must be at most %d bytes", CALCULATOR_MAX_FLOOD);
        return;
    }
    if (!calculator_delay(call, in->delay, &state->delay_ms))
        return;
    flood_reply__init(&state->reply);
    state->count = in->count;
    state->reply.payload.len = in->size;
    state->reply.payload.data = arena_alloc(server_call_arena(call), in->size);
    if (!state->reply.payload.data) {
        struct status st;
        status_set(&st, STATUS_RESOURCE_EXHAUSTED, "no memory for a payload of %u bytes", in->size);
        server_call_fail(call, &st);
        return;
    }
    for (uint32_t i = 0; i < in->size; i++)
        state->reply.payload.data[i] = (uint8_t)(i % 251);
    server_call_sleep(call, state->delay_ms);
}

void flood_step(struct server_call *call)
{
    struct flood *state = server_call_state(call);
    if (state->reply.index == state->count) {
        server_call_finish(call);
        return;
    }
    server_call_reply(call, &state->reply.base);
    state->reply.index++;
    server_call_sleep(call, state->delay_ms);
}

_Static_assert(sizeof(struct prime_factors) <= CALCULATOR_STREAM_STATE, "state is too small");
_Static_assert(sizeof(struct converge) <= CALCULATOR_STREAM_STATE, "state is too small");
_Static_assert(sizeof(struct running_statistics) <= CALCULATOR_STREAM_STATE, "state is too small");
_Static_assert(sizeof(struct flood) <= CALCULATOR_STREAM_STATE, "state is too small");
