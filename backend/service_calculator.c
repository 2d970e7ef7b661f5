/* service_calculator: the methods of proto/calculator.proto whose client sends one message and gets
 * one back, and the table of all.  The streams are in calculator_streams.c. */
#include "backend/arithmetic.h"
#include "backend/calculator_streams.h"
#include "backend/history.h"
#include "backend/server_call.h"

#include <stdio.h>

enum { MAX_PAGE = 1000, DEFAULT_PAGE = 50, MAX_BATCH = 1000 };

static void fail_memory(struct server_call *call)
{
    struct status st;
    status_set(&st, STATUS_RESOURCE_EXHAUSTED, "no memory for the reply");
    server_call_fail(call, &st);
}

/* Encoded here: protobuf-c takes -0.0 for the default and would drop its sign. */
static void answer_number(struct server_call *call, double value)
{
    float number = (float)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    const uint8_t message[] = {1 << 3 | 5, (uint8_t)bits, (uint8_t)(bits >> 8),
                               (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
    server_call_reply_encoded(call, slice_from(message, bits ? sizeof message : 0));
    server_call_finish(call);
}

/* The fields are 32-bit floats, the arithmetic is of 64 bits, as in the Python server. */
static void answer_two(struct server_call *call, const ProtobufCMessage *request,
                       Operation operation)
{
    const NumberDouble *in = (const NumberDouble *)request;
    double result;
    const char *why;
    if (arithmetic_apply(operation, in->value1, in->value2, &result, &why))
        answer_number(call, result);
    else
        server_call_fail_field(call, "value2", "%s", why);
}

static void add_num(struct server_call *call, const ProtobufCMessage *request)
{
    answer_two(call, request, OPERATION__ADD);
}

static void sub_num(struct server_call *call, const ProtobufCMessage *request)
{
    answer_two(call, request, OPERATION__SUBTRACT);
}

static void mul_num(struct server_call *call, const ProtobufCMessage *request)
{
    answer_two(call, request, OPERATION__MULTIPLY);
}

static void div_num(struct server_call *call, const ProtobufCMessage *request)
{
    answer_two(call, request, OPERATION__DIVIDE);
}

static void answer_square_root(struct server_call *call, float value)
{
    double result;
    const char *why;
    if (arithmetic_apply(OPERATION__SQUARE_ROOT, value, 0, &result, &why))
        answer_number(call, result);
    else
        server_call_fail_field(call, "value", "%s", why);
}

static void square_root(struct server_call *call, const ProtobufCMessage *request)
{
    answer_square_root(call, ((const Number *)request)->value);
}

struct slow {
    float value;
};

static void slow_square_root(struct server_call *call, const ProtobufCMessage *request)
{
    const SlowRequest *in = (const SlowRequest *)request;
    struct slow *state = server_call_state(call);
    state->value = in->value;
    uint64_t ms;
    if (calculator_delay(call, in->delay, &ms))
        server_call_sleep(call, ms);
}

static void slow_square_root_step(struct server_call *call)
{
    struct slow *state = server_call_state(call);
    answer_square_root(call, state->value);
}

struct echo {
    EchoMessage reply;
};

static void echo(struct server_call *call, const ProtobufCMessage *request)
{
    const EchoMessage *in = (const EchoMessage *)request;
    struct echo *state = server_call_state(call);
    echo_message__init(&state->reply);
    state->reply.payload = in->payload;
    uint64_t ms;
    if (calculator_delay(call, in->delay, &ms))
        server_call_sleep(call, ms);
}

static void echo_step(struct server_call *call)
{
    struct echo *state = server_call_state(call);
    server_call_answer(call, &state->reply.base);
}

static void combine_vectors(struct server_call *call, const ProtobufCMessage *request)
{
    const VectorsRequest *in = (const VectorsRequest *)request;
    VectorsReply reply = VECTORS_REPLY__INIT;
    if (in->n_left != in->n_right) {
        server_call_fail_field(call, "right", "the vectors have %zu and %zu elements", in->n_left,
                               in->n_right);
        return;
    }
    if (in->operation < OPERATION__ADD || in->operation > OPERATION__DIVIDE) {
        server_call_fail_field(call, "operation", "must be ADD, SUBTRACT, MULTIPLY or DIVIDE");
        return;
    }
    reply.result = arena_alloc(server_call_arena(call), in->n_left * sizeof *reply.result);
    if (!reply.result) {
        fail_memory(call);
        return;
    }
    for (size_t i = 0; i < in->n_left; i++) {
        const char *why;
        if (!arithmetic_apply(in->operation, in->left[i], in->right[i], &reply.result[i], &why)) {
            char field[40];
            snprintf(field, sizeof field, "right[%zu]", i);
            server_call_fail_field(call, field, "%s", why);
            return;
        }
        reply.dot_product += in->left[i] * in->right[i];
    }
    reply.n_result = in->n_left;
    server_call_answer(call, &reply.base);
}

static void list_history(struct server_call *call, const ProtobufCMessage *request)
{
    const ListHistoryRequest *in = (const ListHistoryRequest *)request;
    ListHistoryReply reply = LIST_HISTORY_REPLY__INIT;
    HistoryRecord *records[MAX_PAGE];
    char token[HISTORY_TOKEN_LEN];
    uint32_t first;
    if (in->page_size < 0 || in->page_size > MAX_PAGE) {
        server_call_fail_field(call, "page_size", "must be 0 to %d, not %d", MAX_PAGE,
                               in->page_size);
        return;
    }
    if (history_parse_token(slice_from_string(in->page_token), &first) < 0) {
        server_call_fail_field(call, "page_token", "is not a token of an earlier page");
        return;
    }
    uint32_t size = in->page_size ? (uint32_t)in->page_size : DEFAULT_PAGE;
    uint32_t end = HISTORY_LEN - first < size ? HISTORY_LEN : first + size;
    for (uint32_t i = first; i < end; i++) {
        records[i - first] = history_record(i, server_call_arena(call));
        if (!records[i - first]) {
            fail_memory(call);
            return;
        }
    }
    reply.records = records;
    reply.n_records = end - first;
    if (end < HISTORY_LEN) {
        history_token(end, token);
        reply.next_page_token = token;
    }
    server_call_answer(call, &reply.base);
}

static void batch_item(const BatchItem *item, BatchResult *result)
{
    const char *why;
    batch_result__init(result);
    if (arithmetic_apply(item->operation, item->left, item->right, &result->value, &why)) {
        result->outcome_case = BATCH_RESULT__OUTCOME_VALUE;
    } else {
        result->outcome_case = BATCH_RESULT__OUTCOME_ERROR;
        result->error = (char *)why;
    }
}

static void batch(struct server_call *call, const ProtobufCMessage *request)
{
    const BatchRequest *in = (const BatchRequest *)request;
    BatchReply reply = BATCH_REPLY__INIT;
    BatchResult results[MAX_BATCH], *pointers[MAX_BATCH];
    if (in->n_items > MAX_BATCH) {
        server_call_fail_field(call, "items", "at most %d, not %zu", MAX_BATCH, in->n_items);
        return;
    }
    for (size_t i = 0; i < in->n_items; i++) {
        batch_item(in->items[i], &results[i]);
        pointers[i] = &results[i];
    }
    reply.results = pointers;
    reply.n_results = in->n_items;
    server_call_answer(call, &reply.base);
}

static const struct method methods[] = {
    {.name = "AddNum", .request = &number_double__descriptor, .on_message = add_num},
    {.name = "SubNum", .request = &number_double__descriptor, .on_message = sub_num},
    {.name = "MulNum", .request = &number_double__descriptor, .on_message = mul_num},
    {.name = "DivNum", .request = &number_double__descriptor, .on_message = div_num},
    {.name = "SquareRoot", .request = &number__descriptor, .on_message = square_root},
    {.name = "PrimeFactors",
     .kind = METHOD_SERVER_STREAM,
     .request = &prime_factors_request__descriptor,
     .state_len = CALCULATOR_STREAM_STATE,
     .on_message = prime_factors,
     .step = prime_factors_step},
    {.name = "ConvergeSquareRoot",
     .kind = METHOD_SERVER_STREAM,
     .request = &converge_request__descriptor,
     .state_len = CALCULATOR_STREAM_STATE,
     .on_message = converge,
     .step = converge_step},
    {.name = "Statistics",
     .kind = METHOD_CLIENT_STREAM,
     .request = &number__descriptor,
     .state_len = CALCULATOR_STREAM_STATE,
     .on_message = statistics,
     .on_half_close = statistics_end},
    {.name = "RunningTotal",
     .kind = METHOD_BIDI_STREAM,
     .request = &number__descriptor,
     .state_len = CALCULATOR_STREAM_STATE,
     .on_message = running_total,
     .on_half_close = server_call_finish},
    {.name = "CombineVectors",
     .request = &vectors_request__descriptor,
     .on_message = combine_vectors},
    {.name = "ListHistory",
     .request = &list_history_request__descriptor,
     .on_message = list_history},
    {.name = "Batch", .request = &batch_request__descriptor, .on_message = batch},
    {.name = "SlowSquareRoot",
     .request = &slow_request__descriptor,
     .state_len = sizeof(struct slow),
     .on_message = slow_square_root,
     .step = slow_square_root_step},
    {.name = "Flood",
     .kind = METHOD_SERVER_STREAM,
     .raw = true,
     .request = &flood_request__descriptor,
     .state_len = CALCULATOR_STREAM_STATE,
     .on_message = flood,
     .step = flood_step},
    {.name = "Echo",
     .request = &echo_message__descriptor,
     .state_len = sizeof(struct echo),
     .on_message = echo,
     .step = echo_step},
};

const struct service service_calculator = {
    .name = "Calculator", .methods = methods, .methods_len = sizeof methods / sizeof *methods};
