#include "unit/backend/rig.h"

#include "calculator.pb-c.h"

#include <math.h>

/* One call with one reply, which the caller frees; NULL when the call failed with `code`. */
static void *call_for(struct rig *rig, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *type, enum status_code code)
{
    struct rig_call call;
    rig_call(rig, &call, path, request);
    void *reply = rig_reply(&call, type);
    assert_int_equal(reply != NULL, code == STATUS_OK);
    rig_end(&call, code);
    return reply;
}

static const struct {
    const char *path;
    float left, right;
    enum status_code code;
    float result;
} binary[] = {
    {"/Calculator/AddNum", 1, 2, STATUS_OK, 3},
    {"/Calculator/AddNum", 0.1F, 0.2F, STATUS_OK, 0.3F},
    {"/Calculator/AddNum", 3e38F, 3e38F, STATUS_OK, INFINITY},
    {"/Calculator/SubNum", 1, 2, STATUS_OK, -1},
    {"/Calculator/SubNum", INFINITY, INFINITY, STATUS_OK, NAN},
    {"/Calculator/MulNum", 1.5F, -4, STATUS_OK, -6},
    {"/Calculator/MulNum", 0, -1, STATUS_OK, -0.0F},
    {"/Calculator/DivNum", 1, 3, STATUS_OK, 1.0F / 3},
    {"/Calculator/DivNum", 1, 0, STATUS_INVALID_ARGUMENT, 0},
    {"/Calculator/DivNum", 1, -0.0F, STATUS_INVALID_ARGUMENT, 0},
    {"/Calculator/DivNum", 0, 0, STATUS_INVALID_ARGUMENT, 0},
};

/* Bit for bit, but any NaN is the same as any other. */
static void expect_float(float value, float expected)
{
    if (isnan(expected))
        assert_true(isnan(value));
    else
        assert_memory_equal(&value, &expected, sizeof value);
}

static void calculate_with_two_numbers(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) {
        NumberDouble request = NUMBER_DOUBLE__INIT;
        request.value1 = binary[i].left;
        request.value2 = binary[i].right;
        Number *reply =
            call_for(&rig, binary[i].path, &request.base, &number__descriptor, binary[i].code);
        if (reply)
            expect_float(reply->value, binary[i].result);
        rig_free_reply(reply);
    }
    rig_close(&rig);
}

static void take_square_roots(void **state)
{
    (void)state;
    static const struct {
        float value, result;
        enum status_code code;
    } cases[] = {{16, 4, STATUS_OK},
                 {0, 0, STATUS_OK},
                 {-0.0F, -0.0F, STATUS_OK},
                 {2, 1.41421356F, STATUS_OK},
                 {INFINITY, INFINITY, STATUS_OK},
                 {NAN, NAN, STATUS_OK},
                 {-1, 0, STATUS_INVALID_ARGUMENT},
                 {-INFINITY, 0, STATUS_INVALID_ARGUMENT}};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* By hand: protobuf-c does not send -0.0. */
        struct rig_call call;
        uint8_t message[5] = {0x0d};
        memcpy(message + 1, &cases[i].value, 4);
        rig_start(&rig, &call, "/Calculator/SquareRoot", NULL);
        rig_send_frame(&call, 0, slice_from(message, sizeof message));
        rig_half_close(&call);
        rig_turn(&rig);
        Number *reply = rig_reply(&call, &number__descriptor);
        assert_int_equal(reply != NULL, cases[i].code == STATUS_OK);
        if (reply)
            expect_float(reply->value, cases[i].result);
        rig_free_reply(reply);
        rig_end(&call, cases[i].code);
    }
    rig_close(&rig);
}

static void stream_prime_factors(void **state)
{
    (void)state;
    static const uint64_t expected[] = {2, 2, 3, 5, 7};
    struct rig rig;
    struct rig_call call;
    PrimeFactorsRequest request = PRIME_FACTORS_REQUEST__INIT;
    rig_open(&rig);
    request.number = 420;
    rig_call(&rig, &call, "/Calculator/PrimeFactors", &request.base);
    for (unsigned i = 0; i < 5; i++) {
        PrimeFactor *reply = rig_reply(&call, &prime_factor__descriptor);
        assert_non_null(reply);
        assert_int_equal(reply->factor, expected[i]);
        assert_int_equal(reply->index, i);
        rig_free_reply(reply);
    }
    rig_end(&call, STATUS_OK);
    for (request.number = 0; request.number < 2; request.number++) {
        rig_call(&rig, &call, "/Calculator/PrimeFactors", &request.base);
        rig_end(&call, STATUS_INVALID_ARGUMENT);
    }
    rig_close(&rig);
}

static void pause_before_each_message(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    PrimeFactorsRequest request = PRIME_FACTORS_REQUEST__INIT;
    rig_open(&rig);
    delay.nanos = 500000000;
    request.number = 8;
    request.delay = &delay;
    rig_call(&rig, &call, "/Calculator/PrimeFactors", &request.base);
    for (int i = 0; i < 3; i++) {
        rig_advance(&rig, 499);
        assert_int_equal(buf_len(&call.body), 0);
        rig_advance(&rig, 1);
        PrimeFactor *reply = rig_reply(&call, &prime_factor__descriptor);
        assert_non_null(reply);
        rig_free_reply(reply);
        assert_int_equal(call.closed, i == 2);
    }
    rig_end(&call, STATUS_OK);
    rig_close(&rig);
}

static void bound_delays(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        int32_t nanos;
        bool ok;
    } cases[] = {{0, 0, true},          {0, 1, true},         {600, 0, true},
                 {600, 1, false},       {601, 0, false},      {-1, 0, false},
                 {0, -1, false},        {1, -1, false},       {0, 1000000000, false},
                 {INT64_MAX, 0, false}, {INT64_MIN, 0, false}};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig_call call;
        Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
        EchoMessage request = ECHO_MESSAGE__INIT;
        delay.seconds = cases[i].seconds;
        delay.nanos = cases[i].nanos;
        request.delay = &delay;
        rig_call(&rig, &call, "/Calculator/Echo", &request.base);
        rig_advance(&rig, 600000);
        if (cases[i].ok)
            rig_free_reply(rig_reply(&call, &echo_message__descriptor));
        rig_end(&call, cases[i].ok ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
    rig_close(&rig);
}

static void converge_to_the_root(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    ConvergeRequest request = CONVERGE_REQUEST__INIT;
    rig_open(&rig);
    request.value = 2;
    rig_call(&rig, &call, "/Calculator/ConvergeSquareRoot", &request.base);
    double last = 0;
    uint32_t steps = 0;
    for (ConvergeStep *step; (step = rig_reply(&call, &converge_step__descriptor)) != NULL;) {
        assert_int_equal(step->step, ++steps);
        last = step->estimate;
        rig_free_reply(step);
    }
    assert_true(steps > 3 && steps < 10);
    assert_true(fabs(last - sqrt(2)) < 1e-15);
    rig_end(&call, STATUS_OK);
    static const double bad[][2] = {{-1, 0}, {INFINITY, 0}, {NAN, 0}, {2, -1}, {2, NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        request.value = bad[i][0];
        request.tolerance = bad[i][1];
        rig_call(&rig, &call, "/Calculator/ConvergeSquareRoot", &request.base);
        rig_end(&call, STATUS_INVALID_ARGUMENT);
    }
    rig_close(&rig);
}

static void send_numbers(struct rig_call *call, const float *numbers, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        Number n = NUMBER__INIT;
        n.value = numbers[i];
        rig_send(call, &n.base);
    }
}

static void sum_up_a_stream(void **state)
{
    (void)state;
    static const float numbers[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct rig rig;
    struct rig_call call;
    rig_open(&rig);
    for (size_t len = 0; len <= 8; len += 8) {
        rig_start(&rig, &call, "/Calculator/Statistics", NULL);
        send_numbers(&call, numbers, len);
        rig_turn(&rig);
        assert_false(call.has_headers);
        rig_half_close(&call);
        rig_turn(&rig);
        StatisticsReply *reply = rig_reply(&call, &statistics_reply__descriptor);
        assert_non_null(reply);
        assert_int_equal(reply->count, len);
        assert_float_equal(reply->sum, (len ? 40 : 0), 0);
        assert_float_equal(reply->mean, (len ? 5 : 0), 0);
        assert_float_equal(reply->variance, (len ? 4 : 0), 0);
        assert_float_equal(reply->min, (len ? 2 : 0), 0);
        assert_float_equal(reply->max, (len ? 9 : 0), 0);
        rig_free_reply(reply);
        rig_end(&call, STATUS_OK);
    }
    rig_close(&rig);
}

static void answer_each_number_at_once(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    double total = 0;
    rig_open(&rig);
    rig_start(&rig, &call, "/Calculator/RunningTotal", NULL);
    for (unsigned i = 1; i <= 5; i++) {
        float number = (float)i / 4;
        send_numbers(&call, &number, 1);
        rig_turn(&rig);
        total += number;
        RunningTotalReply *reply = rig_reply(&call, &running_total_reply__descriptor);
        assert_non_null(reply);
        assert_float_equal(reply->total, total, 0);
        assert_int_equal(reply->count, i);
        rig_free_reply(reply);
    }
    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_OK);
    /* A stream without a message is legal, one that breaks off in a message is not. */
    rig_start(&rig, &call, "/Calculator/RunningTotal", NULL);
    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_OK);
    rig_start(&rig, &call, "/Calculator/RunningTotal", NULL);
    h2_stream_write(call.stream, slice_from("\0\0", 2));
    rig_half_close(&call);
    rig_turn(&rig);
    rig_end(&call, STATUS_INTERNAL);
    rig_close(&rig);
}

static void end_a_stream_at_a_bad_message(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    float one = 1;
    rig_open(&rig);
    rig_start(&rig, &call, "/Calculator/RunningTotal", NULL);
    send_numbers(&call, &one, 1);
    rig_send_frame(&call, 0, SLICE("\xff"));
    send_numbers(&call, &one, 1);
    rig_turn(&rig);
    assert_int_equal(call.closed, true);
    rig_free_reply(rig_reply(&call, &running_total_reply__descriptor));
    rig_end(&call, STATUS_INVALID_ARGUMENT);
    rig_close(&rig);
}

static void combine_vectors(void **state)
{
    (void)state;
    static double left[] = {1, 2, 3}, right[] = {4, 5, 0};
    static const struct {
        Operation operation;
        size_t left_len, right_len;
        enum status_code code;
        double first;
    } cases[] = {{OPERATION__ADD, 3, 3, STATUS_OK, 5},
                 {OPERATION__SUBTRACT, 3, 3, STATUS_OK, -3},
                 {OPERATION__MULTIPLY, 3, 3, STATUS_OK, 4},
                 {OPERATION__DIVIDE, 2, 2, STATUS_OK, 0.25},
                 {OPERATION__ADD, 0, 0, STATUS_OK, 0},
                 {OPERATION__DIVIDE, 3, 3, STATUS_INVALID_ARGUMENT, 0},
                 {OPERATION__ADD, 3, 2, STATUS_INVALID_ARGUMENT, 0},
                 {OPERATION__OPERATION_UNSPECIFIED, 1, 1, STATUS_INVALID_ARGUMENT, 0},
                 {OPERATION__SQUARE_ROOT, 1, 1, STATUS_INVALID_ARGUMENT, 0},
                 {(Operation)77, 1, 1, STATUS_INVALID_ARGUMENT, 0}};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        VectorsRequest request = VECTORS_REQUEST__INIT;
        request.operation = cases[i].operation;
        request.left = left;
        request.n_left = cases[i].left_len;
        request.right = right;
        request.n_right = cases[i].right_len;
        VectorsReply *reply = call_for(&rig, "/Calculator/CombineVectors", &request.base,
                                       &vectors_reply__descriptor, cases[i].code);
        if (!reply)
            continue;
        assert_int_equal(reply->n_result, cases[i].left_len);
        if (reply->n_result)
            assert_float_equal(reply->result[0], cases[i].first, 0);
        assert_float_equal(reply->dot_product, (cases[i].left_len ? 14 : 0), 0);
        rig_free_reply(reply);
    }
    rig_close(&rig);
}

static void page_through_the_history(void **state)
{
    (void)state;
    struct rig rig;
    ListHistoryRequest request = LIST_HISTORY_REQUEST__INIT;
    char token[64] = "";
    int64_t sequence = 0;
    rig_open(&rig);
    request.page_size = 999;
    do {
        request.page_token = token;
        ListHistoryReply *reply = call_for(&rig, "/Calculator/ListHistory", &request.base,
                                           &list_history_reply__descriptor, STATUS_OK);
        for (size_t i = 0; i < reply->n_records; i++)
            assert_int_equal(reply->records[i]->sequence, ++sequence);
        snprintf(token, sizeof token, "%s", reply->next_page_token);
        rig_free_reply(reply);
    } while (token[0]);
    assert_int_equal(sequence, 10000);
    request.page_size = 0;
    request.page_token = token;
    ListHistoryReply *reply = call_for(&rig, "/Calculator/ListHistory", &request.base,
                                       &list_history_reply__descriptor, STATUS_OK);
    assert_int_equal(reply->n_records, 50);
    rig_free_reply(reply);
    static const int32_t bad_sizes[] = {-1, 1001, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        request.page_size = bad_sizes[i];
        call_for(&rig, "/Calculator/ListHistory", &request.base, &list_history_reply__descriptor,
                 STATUS_INVALID_ARGUMENT);
    }
    request.page_size = 1;
    request.page_token = "nonsense";
    call_for(&rig, "/Calculator/ListHistory", &request.base, &list_history_reply__descriptor,
             STATUS_INVALID_ARGUMENT);
    rig_close(&rig);
}

static void run_a_batch(void **state)
{
    (void)state;
    enum { MAX = 1000 };
    static BatchItem items[MAX + 1];
    static BatchItem *pointers[MAX + 1];
    struct rig rig;
    BatchRequest request = BATCH_REQUEST__INIT;
    rig_open(&rig);
    for (size_t i = 0; i <= MAX; i++) {
        batch_item__init(&items[i]);
        items[i].operation = (Operation)(i % 7);
        items[i].left = (double)i - 500;
        pointers[i] = &items[i];
    }
    request.items = pointers;
    request.n_items = MAX;
    BatchReply *reply =
        call_for(&rig, "/Calculator/Batch", &request.base, &batch_reply__descriptor, STATUS_OK);
    assert_int_equal(reply->n_results, MAX);
    for (size_t i = 0; i < MAX; i++) {
        bool bad = i % 7 == 0 || i % 7 == OPERATION__DIVIDE || i % 7 == 6 ||
                   (i % 7 == OPERATION__SQUARE_ROOT && i < 500);
        assert_int_equal(reply->results[i]->outcome_case,
                         bad ? BATCH_RESULT__OUTCOME_ERROR : BATCH_RESULT__OUTCOME_VALUE);
    }
    rig_free_reply(reply);
    request.n_items = MAX + 1;
    call_for(&rig, "/Calculator/Batch", &request.base, &batch_reply__descriptor,
             STATUS_INVALID_ARGUMENT);
    request.n_items = 0;
    reply = call_for(&rig, "/Calculator/Batch", &request.base, &batch_reply__descriptor, STATUS_OK);
    assert_int_equal(reply->n_results, 0);
    rig_free_reply(reply);
    rig_close(&rig);
}

static void flood(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_call call;
    FloodRequest request = FLOOD_REQUEST__INIT;
    rig_open(&rig);
    request.count = 300;
    request.size = 10000;
    rig_call(&rig, &call, "/Calculator/Flood", &request.base);
    for (uint64_t i = 0; i < request.count; i++) {
        FloodReply *reply = rig_reply(&call, &flood_reply__descriptor);
        assert_non_null(reply);
        assert_int_equal(reply->index, i);
        assert_int_equal(reply->payload.len, request.size);
        rig_free_reply(reply);
    }
    rig_end(&call, STATUS_OK);
    request.count = 0;
    rig_call(&rig, &call, "/Calculator/Flood", &request.base);
    rig_end(&call, STATUS_OK);
    request.size = 4 * 1024 * 1024 + 1;
    rig_call(&rig, &call, "/Calculator/Flood", &request.base);
    rig_end(&call, STATUS_INVALID_ARGUMENT);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calculate_with_two_numbers),
        cmocka_unit_test(take_square_roots),
        cmocka_unit_test(stream_prime_factors),
        cmocka_unit_test(pause_before_each_message),
        cmocka_unit_test(bound_delays),
        cmocka_unit_test(converge_to_the_root),
        cmocka_unit_test(sum_up_a_stream),
        cmocka_unit_test(answer_each_number_at_once),
        cmocka_unit_test(end_a_stream_at_a_bad_message),
        cmocka_unit_test(combine_vectors),
        cmocka_unit_test(page_through_the_history),
        cmocka_unit_test(run_a_batch),
        cmocka_unit_test(flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
