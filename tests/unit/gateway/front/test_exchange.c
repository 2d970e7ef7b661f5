/* Exchanges without a socket: a recording protocol on one side, the front's calls on the other. */
#include "gateway/front/exchange_front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct config config;
static struct metrics metrics;
static struct context ctx = {.config = &config, .metrics = &metrics};
static struct exchanges all;
static unsigned wakes;
static char transcript[4096]; /* what the protocol was told */
static void (*in_open)(struct exchange *ex);

static void told(const char *what, struct slice data)
{
    size_t len = strlen(transcript);
    snprintf(transcript + len, sizeof transcript - len, "%s%.*s ", what, SLICE_PRINT(data));
}

static bool takes(const struct exchange_request *req, const struct context *c)
{
    (void)c;
    return slice_has_prefix(req->path, SLICE("/own"));
}

static bool takes_all(const struct exchange_request *req, const struct context *c)
{
    (void)req, (void)c;
    return false; /* not asked: it is the last one */
}

static void *on_open(struct exchange *ex)
{
    told("open:", exchange_request(ex)->path);
    if (in_open)
        in_open(ex);
    return ex;
}

static void on_body(struct exchange *ex, void *state, struct slice data)
{
    assert_ptr_equal(ex, state);
    told("body:", data);
}

static void on_body_end(struct exchange *ex, void *state)
{
    assert_ptr_equal(ex, state);
    told("end", SLICE(""));
}

static void on_writable(struct exchange *ex, void *state)
{
    assert_ptr_equal(ex, state);
    told("writable", SLICE(""));
}

static void on_close(struct exchange *ex, void *state)
{
    assert_ptr_equal(ex, state);
    told("close", SLICE(""));
}

static void on_fail(struct exchange *ex, void *state, const struct status *st)
{
    assert_ptr_equal(ex, state);
    told("fail:", status_message(st));
    if (ex->reply == REPLY_NONE)
        exchange_head(ex, 503, NULL);
    exchange_end(ex);
}

static const struct protocol own = {"own",       takes,       on_open, on_body,
                                    on_body_end, on_writable, on_fail, on_close};
static const struct protocol last = {"last",      takes_all,   on_open, on_body,
                                     on_body_end, on_writable, NULL,    on_close};
static bool takes_brief(const struct exchange_request *req, const struct context *c)
{
    (void)c;
    return slice_equal(req->path, SLICE("/brief"));
}

static void *open_brief(struct exchange *ex)
{
    exchange_head(ex, 200, NULL);
    exchange_write(ex, SLICE("all"));
    exchange_end(ex);
    return NULL;
}

/* Has answered when open() returns. */
static const struct protocol brief = {.name = "brief", .matches = takes_brief, .open = open_brief};
static const struct protocol *const protocols[] = {&own, &brief, &last, NULL};

static void on_wake(struct exchange *ex)
{
    (void)ex;
    wakes++;
}

static int set_up(void **state)
{
    (void)state;
    config_init(&config);
    ctx.loop = loop_new();
    exchanges_init(&all, &ctx, protocols, (struct cors_policy){.loopback_only = true});
    all.wake = on_wake;
    transcript[0] = 0;
    in_open = NULL;
    wakes = 0;
    return 0;
}

static uint64_t value_of(enum metric metric)
{
    return atomic_load(&metrics.values[metric]);
}

static int tear_down(void **state)
{
    (void)state;
    exchanges_fini(&all);
    loop_free(ctx.loop);
    assert_int_equal(value_of(METRIC_EXCHANGES_OPEN), 0);
    assert_int_equal(value_of(METRIC_BUFFERED_BYTES), 0);
    ctx.draining = false;
    return 0;
}

static char fields_copy[4096];

/* "Name: value\n" lines; the memory lives until the next call. */
static struct exchange *begin(const char *method, const char *target, const char *fields)
{
    snprintf(fields_copy, sizeof fields_copy, "%s", fields);
    struct exchange *ex = exchange_open(&all);
    assert_non_null(ex);
    struct slice rest = slice_from(fields_copy, strlen(fields_copy));
    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        exchange_add_field(ex, (uint8_t *)(uintptr_t)name.data, name.len, value);
    }
    exchange_begin(ex, slice_from_string(method), slice_from_string(target), SLICE("HTTP/1.1"));
    return ex;
}

static void assert_output(const struct exchange *ex, const char *text)
{
    struct slice out = exchange_output(ex);
    assert_int_equal(out.len, strlen(text));
    assert_memory_equal(out.data ? out.data : (const uint8_t *)"", text, out.len);
}

static void test_request_as_protocols_see_it(void **state)
{
    (void)state;
    struct exchange *ex = begin(
        "PUT", "/own/a?b=c&d", "Host: localhost\nContent-Type:  a/b \nX-Y: z\ncontent-length: 3\n");
    const struct exchange_request *req = exchange_request(ex);
    assert_int_equal(req->method, METHOD_PUT);
    assert_true(slice_equal(req->method_name, SLICE("PUT")));
    assert_true(slice_equal(req->target, SLICE("/own/a?b=c&d")));
    assert_true(slice_equal(req->path, SLICE("/own/a")));
    assert_true(slice_equal(req->query, SLICE("b=c&d")));
    assert_true(slice_equal(req->content_type, SLICE("a/b")));
    assert_true(slice_equal(req->host, SLICE("localhost")));
    assert_true(slice_equal(metadata_get(&req->headers, SLICE("x-y")), SLICE("z")));
    assert_int_equal(req->headers.count, 4);
    assert_int_equal(req->content_length, 3);
    assert_null(req->origin.data);
    assert_ptr_equal(exchange_context(ex), &ctx);
    exchange_close(ex);
    ex = begin("GET", "/other", "Host: a\n");
    assert_null(exchange_request(ex)->query.data);
    assert_ptr_equal(ex->protocol, &last);
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own/a close open:/other close ");
}

static void test_custom_method(void **state)
{
    (void)state;
    struct exchange *ex = begin("SEARCH", "/own", "Host: a\nContent-Length: 2\n");
    assert_int_equal(exchange_request(ex)->method, METHOD_CUSTOM);
    assert_true(slice_equal(exchange_request(ex)->method_name, SLICE("SEARCH")));
    assert_false(exchange_request(ex)->upgradable);
    assert_int_equal(exchange_take_body(ex, SLICE("ab")), 2);
    exchange_take_body_end(ex);
    exchange_close(ex);
    ex = begin("TRACE", "/own", "Host: a\n");
    assert_int_equal(ex->http_status, 405);
    assert_null(ex->protocol);
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own body:ab end close ");
}

static void test_many_fields(void **state)
{
    (void)state;
    char fields[4096] = "Host: a\n";
    for (int i = 0; i < 99; i++)
        snprintf(fields + strlen(fields), 32, "X-%d: %d\n", i, i);
    struct exchange *ex = begin("GET", "/own", fields);
    assert_int_equal(exchange_request(ex)->headers.count, 100);
    assert_true(slice_equal(metadata_get(&ex->request.headers, SLICE("x-98")), SLICE("98")));
    exchange_close(ex);
}

static void test_echo(void **state)
{
    (void)state;
    struct exchange *ex = begin("POST", "/own", "Host: a\nContent-Length: 4\n");
    assert_int_equal(exchange_take_body(ex, SLICE("ab")), 2);
    assert_int_equal(exchange_take_body(ex, SLICE("cd")), 2);
    exchange_take_body_end(ex);
    exchange_take_body_end(ex);
    assert_int_equal(ex->upload, UPLOAD_DONE);
    assert_int_equal(ex->reply, REPLY_NONE);
    struct metadata_entry fields[] = {{SLICE("x-a"), SLICE("1")},
                                      {SLICE("content-length"), SLICE("99")},
                                      {SLICE("connection"), SLICE("close")},
                                      {SLICE("transfer-encoding"), SLICE("chunked")},
                                      {SLICE("x-bad"), SLICE("a\r\nb: c")},
                                      {SLICE("x-empty"), SLICE("")}};
    struct metadata md = {.entries = fields, .count = 6};
    exchange_head(ex, 201, &md);
    assert_int_equal(ex->reply, REPLY_HEAD);
    assert_int_equal(ex->head.count, 1); /* framing and invalid fields are not the protocol's */
    assert_string_equal((const char *)ex->head.entries[0].name.data, "x-a");
    assert_string_equal((const char *)ex->head.entries[0].value.data, "1");
    assert_true(exchange_write(ex, SLICE("abcd")));
    exchange_end(ex);
    assert_int_equal(ex->reply, REPLY_ENDED);
    assert_int_equal(ex->http_status, 201);
    assert_true(wakes >= 2);
    assert_output(ex, "abcd");
    exchange_commit(ex);
    assert_false(ex->must_close);
    assert_int_equal(value_of(METRIC_BUFFERED_BYTES), 4);
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own body:ab body:cd end close ");
}

static void test_pause(void **state)
{
    (void)state;
    struct exchange *ex = begin("POST", "/own", "Host: a\nContent-Length: 4\n");
    exchange_pause_upload(ex);
    assert_int_equal(exchange_take_body(ex, SLICE("ab")), 0);
    wakes = 0;
    exchange_resume_upload(ex);
    exchange_resume_upload(ex);
    assert_int_equal(wakes, 1);
    assert_int_equal(exchange_take_body(ex, SLICE("ab")), 2);
    exchange_pause_upload(ex);
    exchange_take_body_end(ex); /* held back */
    exchange_resume_upload(ex);
    exchange_take_body_end(ex);
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own body:ab end close ");
}

static void test_back_pressure(void **state)
{
    (void)state;
    static uint8_t piece[16 << 10];
    uint8_t taken[20 << 10];
    struct exchange *ex = begin("GET", "/own", "Host: a\n");
    exchange_take_body_end(ex);
    exchange_head(ex, 200, NULL);
    assert_true(exchange_write(ex, slice_from(piece, sizeof piece)));
    assert_true(exchange_write(ex, slice_from(piece, sizeof piece)));
    assert_true(exchange_write(ex, slice_from(piece, sizeof piece)));
    assert_false(exchange_write(ex, slice_from(piece, sizeof piece))); /* 64 KiB: full, but taken */
    exchange_commit(ex);
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), sizeof taken);
    assert_null(strstr(transcript, "writable"));
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), sizeof taken);
    assert_non_null(strstr(transcript, "writable")); /* below half */
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), sizeof taken);
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), (64 << 10) - 3 * sizeof taken);
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), 0);
    assert_int_equal(value_of(METRIC_BUFFERED_BYTES), 0);
    exchange_end(ex);
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own end writable close ");
}

/* One reply message is kept back until its end, so that it leaves with its length... */
static void test_hold(void **state)
{
    (void)state;
    static uint8_t piece[100 << 10];
    struct exchange *ex = begin("GET", "/own", "Host: a\n");
    exchange_take_body_end(ex);
    exchange_hold(ex);
    exchange_head(ex, 200, NULL);
    for (int i = 0; i < 10; i++)
        assert_true(exchange_write(ex, slice_from(piece, sizeof piece)));
    assert_int_equal(wakes, 0); /* the front has nothing to do yet */
    exchange_end(ex);
    assert_int_equal(wakes, 1);
    assert_int_equal(exchange_output(ex).len, 10 * sizeof piece);
    exchange_commit(ex);
    exchange_close(ex);
}

/* ...as far as it stays below the bound. */
static void test_hold_ends_at_its_bound(void **state)
{
    (void)state;
    static uint8_t most[EXCHANGE_HOLD - 1], taken[EXCHANGE_HOLD];
    struct exchange *ex = begin("GET", "/own", "Host: a\n");
    exchange_take_body_end(ex);
    exchange_hold(ex);
    exchange_head(ex, 200, NULL);
    assert_true(exchange_write(ex, slice_from(most, sizeof most)));
    assert_int_equal(wakes, 0);
    assert_false(exchange_write(ex, SLICE("x")));
    assert_int_equal(wakes, 1);
    exchange_commit(ex);
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), sizeof taken);
    assert_non_null(strstr(transcript, "writable"));
    /* From here on it is a stream like any other. */
    assert_false(exchange_write(ex, slice_from(most, EXCHANGE_HIGH_WATER)));
    assert_int_equal(wakes, 2);
    exchange_close(ex);
}

/* The response waits for the end of the upload, the upload for the response. */
static void test_stuck(void **state)
{
    (void)state;
    static uint8_t piece[EXCHANGE_HIGH_WATER];
    struct status st;
    status_set(&st, STATUS_UNAVAILABLE, "why");
    struct exchange *ex = begin("POST", "/own", "Host: a\nTransfer-Encoding: chunked\n");
    exchange_head(ex, 200, NULL);
    assert_false(exchange_write(ex, slice_from(piece, sizeof piece)));
    assert_false(exchange_stuck(ex)); /* the client goes on */
    exchange_pause_upload(ex);
    assert_true(exchange_stuck(ex));
    exchange_resume_upload(ex);
    assert_false(exchange_stuck(ex));
    exchange_pause_upload(ex);
    assert_true(exchange_fail(ex, &st));
    assert_false(exchange_stuck(ex));
    assert_int_equal(ex->upload, UPLOAD_DISCARD);
    assert_true(exchange_fail(ex, &st)); /* told once */
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own fail:why close ");
    ex = begin("POST", "/other", "Host: a\nContent-Length: 1\n");
    assert_false(exchange_fail(ex, &st));
    exchange_close(ex);
}

/* The HTTP library may write over the head of a chunked request while the exchange goes on. */
static void test_head_of_a_chunked_request_is_kept(void **state)
{
    (void)state;
    char method[] = "POST", target[] = "/own?q=1";
    struct exchange *ex = begin(method, target,
                                "Host: a\nTransfer-Encoding: chunked\nContent-Type: text/x\n"
                                "X-One: 1\nx-empty:\n");
    memset(fields_copy, 'Z', sizeof fields_copy);
    memset(method, 'Z', sizeof method - 1);
    memset(target, 'Z', sizeof target - 1);
    const struct exchange_request *req = exchange_request(ex);
    assert_true(slice_equal(req->method_name, SLICE("POST")));
    assert_true(slice_equal(req->target, SLICE("/own?q=1")));
    assert_true(slice_equal(req->path, SLICE("/own")));
    assert_true(slice_equal(req->query, SLICE("q=1")));
    assert_true(slice_equal(req->content_type, SLICE("text/x")));
    assert_true(slice_equal(req->host, SLICE("a")));
    assert_int_equal(req->headers.count, 5);
    assert_true(slice_equal(metadata_get(&req->headers, SLICE("x-one")), SLICE("1")));
    assert_non_null(metadata_get(&req->headers, SLICE("x-empty")).data);
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own close ");
}

/* What broke off still leaves: behind the rest of the upload, which nobody wants. */
static void test_abort_during_an_upload(void **state)
{
    (void)state;
    struct exchange *ex = begin("POST", "/own", "Host: a\nTransfer-Encoding: chunked\n");
    exchange_head(ex, 200, NULL);
    exchange_write(ex, SLICE("[1,{\"error\":{}}"));
    exchange_pause_upload(ex);
    wakes = 0;
    exchange_abort(ex);
    assert_true(wakes > 0);
    assert_int_equal(exchange_take_body(ex, SLICE("ab")), 2);
    exchange_take_body_end(ex);
    exchange_commit(ex);
    assert_output(ex, "[1,{\"error\":{}}");
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own close ");
}

static void answer(struct exchange *ex)
{
    exchange_head(ex, 404, NULL);
    exchange_write(ex, SLICE("no"));
    exchange_end(ex);
}

static void test_answer_before_the_body(void **state)
{
    (void)state;
    in_open = answer;
    struct exchange *ex = begin("POST", "/own", "Host: a\nContent-Length: 4\n");
    assert_int_equal(ex->upload, UPLOAD_DISCARD);
    assert_int_equal(exchange_take_body(ex, SLICE("abcd")), 4);
    exchange_take_body_end(ex);
    assert_output(ex, "no");
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own close ");
}

static void test_no_callbacks(void **state)
{
    (void)state;
    uint8_t taken[8];
    struct exchange *ex = begin("POST", "/brief", "Host: a\nContent-Length: 4\n");
    assert_int_equal(exchange_take_body(ex, SLICE("abcd")), 4);
    exchange_take_body_end(ex);
    exchange_commit(ex);
    assert_int_equal(exchange_take_output(ex, taken, sizeof taken), 3);
    exchange_close(ex);
}

static void test_discard_bound(void **state)
{
    (void)state;
    static uint8_t piece[1 << 20];
    in_open = exchange_discard_upload;
    struct exchange *ex = begin("POST", "/own", "Host: a\nTransfer-Encoding: chunked\n");
    for (int i = 0; i < 17; i++) {
        assert_false(exchange_discarded_too_much(ex));
        exchange_take_body(ex, slice_from(piece, sizeof piece));
    }
    assert_false(exchange_discarded_too_much(ex)); /* 4 messages of 4 MiB, and 1 */
    exchange_take_body(ex, SLICE("x"));
    assert_true(exchange_discarded_too_much(ex));
    exchange_allow_slow_upload(ex); /* of a stream nobody knows the length */
    assert_false(exchange_discarded_too_much(ex));
    exchange_close(ex);
}

static void test_abort(void **state)
{
    (void)state;
    struct exchange *ex = begin("POST", "/own", "Host: a\nContent-Length: 1\n");
    exchange_abort(ex);
    exchange_head(ex, 200, NULL); /* no effect any more */
    exchange_write(ex, SLICE("x"));
    exchange_end(ex);
    assert_int_equal(ex->reply, REPLY_ABORTED);
    exchange_take_body_end(ex);
    assert_output(ex, "");
    exchange_close(ex);
    assert_string_equal(transcript, "open:/own close ");
}

static void test_refusals_reach_no_protocol(void **state)
{
    (void)state;
    static const struct {
        const char *method, *fields;
        int http_status;
        bool close;
        const char *body; /* how it begins */
    } rows[] = {
        {"POST", "Host: a\nContent-Length: 1\nTransfer-Encoding: chunked\n", 400, true,
         "{\"code\":3,\"message\":\"Content-Length and"},
        {"POST", "", 400, true, "{\"code\":3,"},
        {"BR(EW", "Host: a\n", 501, true,
         "{\"code\":12,\"message\":\"the method is not a token of at most 32 characters\","
         "\"details\":[]}\n"},
        {"TRACE", "Host: a\n", 405, true, "{\"code\":12,"},
        {"POST", "Host: localhost\nOrigin: https://evil.example\n", 403, false, "{\"code\":7,"},
        {"OPTIONS",
         "Host: localhost\nOrigin: https://evil.example\nAccess-Control-Request-Method: POST\n",
         403, false, "{\"code\":7,"},
        {"GET", "Host: evil.example\nSec-Fetch-Site: same-origin\n", 403, false, "{\"code\":7,"},
    };
    uint64_t before = value_of(METRIC_REQUESTS_REFUSED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exchange *ex = begin(rows[i].method, "/own", rows[i].fields);
        assert_int_equal(ex->http_status, rows[i].http_status);
        assert_int_equal(ex->must_close, rows[i].close);
        assert_int_equal(ex->reply, REPLY_ENDED);
        assert_true(slice_has_prefix(exchange_output(ex), slice_from_string(rows[i].body)));
        exchange_take_body(ex, SLICE("body"));
        exchange_take_body_end(ex);
        exchange_commit(ex);
        assert_null(metadata_get(&ex->head, SLICE("access-control-allow-origin")).data);
        exchange_close(ex);
    }
    assert_string_equal(transcript, "");
    assert_int_equal(value_of(METRIC_REQUESTS_REFUSED) - before, 7);
}

static const struct {
    const char *method, *te;
    int http_status;
    const char *announced; /* NULL: none are sent */
} trailer_rows[] = {
    {"GET", "TE: trailers\n", 200, "x-a, x-b"},
    {"POST", "Te: gzip, trailers\n", 404, "x-a, x-b"},
    {"GET", "", 200, NULL},
    {"GET", "TE: gzip\n", 200, NULL},
    {"HEAD", "TE: trailers\n", 200, NULL},
    {"GET", "TE: trailers\n", 204, NULL},
    {"GET", "TE: trailers\n", 304, NULL},
};

static void test_trailers(void **state)
{
    (void)state;
    struct metadata_entry fields[] = {
        {SLICE("x-a"), SLICE("1")},
        {SLICE("content-length"), SLICE("9")},
        {SLICE("x-b"), SLICE("2")},
        {SLICE("x-bad"), SLICE("a\r\nb: c")},
        {SLICE("x-a"), SLICE("3")},
        {SLICE("set-cookie"), SLICE("a=b")},
        {SLICE("transfer-encoding"), SLICE("gzip")},
    };
    struct metadata md = {.entries = fields, .count = sizeof fields / sizeof *fields};
    for (size_t i = 0; i < sizeof trailer_rows / sizeof *trailer_rows; i++) {
        char head[64];
        snprintf(head, sizeof head, "Host: a\n%s", trailer_rows[i].te);
        struct exchange *ex = begin(trailer_rows[i].method, "/own", head);
        exchange_head(ex, trailer_rows[i].http_status, NULL);
        exchange_write(ex, SLICE("x"));
        exchange_trailers(ex, &md);
        exchange_end(ex);
        exchange_commit(ex);
        bool sent = trailer_rows[i].announced != NULL;
        assert_int_equal(ex->trailers.count, sent ? 3 : 0);
        assert_true(slice_equal(metadata_get(&ex->head, SLICE("trailer")),
                                slice_from_string(trailer_rows[i].announced)));
        if (sent)
            assert_string_equal((const char *)ex->trailers.entries[2].value.data, "3");
        exchange_close(ex);
    }
}

/* What does not fit is left out; the rest arrives. */
static void test_too_many_trailers(void **state)
{
    (void)state;
    static char big[4200];
    memset(big, 'v', sizeof big);
    struct metadata_entry fields[] = {{SLICE("x-big"), slice_from(big, sizeof big)},
                                      {SLICE("x-a"), SLICE("1")}};
    struct metadata md = {.entries = fields, .count = 2};
    struct exchange *ex = begin("GET", "/own", "Host: a\nTE: trailers\n");
    exchange_head(ex, 200, NULL);
    exchange_trailers(ex, &md);
    assert_int_equal(ex->trailers.count, 1);
    exchange_close(ex);
}

static void upgrade(struct exchange *ex)
{
    struct metadata_entry field = {SLICE("x-accept"), SLICE("yes")};
    struct metadata fields = {.entries = &field, .count = 1};
    exchange_upgrade(ex, SLICE("websocket"), &fields);
}

static void test_path_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query; /* path NULL: not served */
    } rows[] = {
        {"/api/v1/own/a?b=/api/v1", "/own/a", "b=/api/v1"},
        {"/api/v1/", "/", NULL},
        {"/api/v1/api/v1/own", "/api/v1/own", NULL},
        {"/api/v1", NULL, NULL},
        {"/api/v1?/own", NULL, NULL},
        {"/api/v12/own", NULL, NULL},
        {"/api/v1%2Fown", NULL, NULL},
        {"/API/v1/own", NULL, NULL},
        {"//api/v1/own", NULL, NULL},
        {"/own", NULL, NULL},
        {"/", NULL, NULL},
    };
    all.path_prefix = SLICE("/api/v1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exchange *ex = begin("GET", rows[i].target, "Host: a\n");
        const struct exchange_request *req = exchange_request(ex);
        assert_true(slice_equal(req->target, slice_from_string(rows[i].target)));
        assert_int_equal(ex->protocol != NULL, rows[i].path != NULL);
        if (rows[i].path) {
            assert_true(slice_equal(req->path, slice_from_string(rows[i].path)));
            assert_true(slice_equal(req->query, slice_from_string(rows[i].query)));
        } else {
            assert_int_equal(ex->http_status, 404);
            assert_output(ex, "{\"code\":5,\"message\":\"everything is below /api/v1/ "
                              "(--path-prefix)\",\"details\":[]}\n");
        }
        exchange_close(ex);
    }
}

static void test_outside_of_the_prefix(void **state)
{
    (void)state;
    all.path_prefix = SLICE("/api");
    struct exchange *ex = begin("POST", "/own",
                                "Host: localhost\nOrigin: http://localhost:3000\n"
                                "Content-Type: application/grpc-web-text; charset=x\n");
    exchange_commit(ex);
    assert_int_equal(ex->http_status, 200);
    assert_output(ex, "");
    assert_true(slice_equal(metadata_get(&ex->head, SLICE("grpc-status")), SLICE("12")));
    assert_true(slice_equal(metadata_get(&ex->head, SLICE("content-type")),
                            SLICE("application/grpc-web-text")));
    assert_true(slice_has_prefix(metadata_get(&ex->head, SLICE("grpc-message")),
                                 SLICE("everything is below /api/")));
    /* A page can read it. */
    assert_true(slice_equal(metadata_get(&ex->head, SLICE("access-control-allow-origin")),
                            SLICE("http://localhost:3000")));
    assert_int_equal(ex->outcome.code, STATUS_UNIMPLEMENTED);
    exchange_close(ex);
    in_open = upgrade;
    ex = begin("GET", "/api/own?x", "Host: a\n"); /* the prefix stays off when the slices move */
    assert_true(slice_equal(exchange_request(ex)->path, SLICE("/own")));
    assert_true(slice_equal(exchange_request(ex)->query, SLICE("x")));
    exchange_close(ex);
}

/* A head that the HTTP library could not send is answered in its protocol's place. */
static void test_too_large_a_head(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int http_status;
        const char *grpc_status, *body; /* its beginning */
    } rows[] = {
        {"application/json", 429, "",
         "{\"code\":8,\"message\":\"the reply's metadata is too large"},
        {"application/grpc-web+proto", 200, "8", ""},
    };
    static uint8_t text[2000];
    memset(text, 'a', sizeof text);
    struct metadata_entry field = {SLICE("x-a"), slice_from(text, sizeof text)};
    struct metadata md = {.entries = &field, .count = 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "Host: a\nContent-Type: %s\n", rows[i].type);
        struct exchange *ex = begin("POST", "/own", fields);
        exchange_head(ex, 200, &md);
        exchange_write(ex, SLICE("reply"));
        exchange_commit(ex);
        exchange_limit_head(ex, sizeof text + 100);
        assert_string_equal(transcript, "open:/own ");
        exchange_limit_head(ex, sizeof text);
        assert_string_equal(transcript, "open:/own close ");
        assert_int_equal(ex->reply, REPLY_ENDED);
        assert_int_equal(ex->http_status, rows[i].http_status);
        assert_true(slice_equal(metadata_get(&ex->head, SLICE("grpc-status")),
                                slice_from_string(rows[i].grpc_status)));
        assert_true(slice_has_prefix(exchange_output(ex), slice_from_string(rows[i].body)));
        assert_int_equal(value_of(METRIC_BUFFERED_BYTES), exchange_output(ex).len);
        assert_int_equal(ex->outcome.code, STATUS_RESOURCE_EXHAUSTED);
        exchange_close(ex);
        assert_string_equal(transcript, "open:/own close ");
        transcript[0] = 0;
    }
}

static void test_preflight_and_fields(void **state)
{
    (void)state;
    struct exchange *ex = begin("OPTIONS", "/own",
                                "Host: localhost\nOrigin: http://localhost:3000\n"
                                "Access-Control-Request-Method: POST\n"
                                "Access-Control-Request-Headers: x-a\n");
    assert_int_equal(ex->http_status, 204);
    assert_true(
        slice_equal(metadata_get(&ex->head, SLICE("access-control-allow-headers")), SLICE("x-a")));
    exchange_commit(ex);
    assert_string_equal(transcript, "");
    exchange_close(ex);
    ex = begin("POST", "/own", "Host: localhost\nOrigin: http://localhost:3000\n");
    answer(ex);
    exchange_commit(ex);
    assert_true(slice_equal(metadata_get(&ex->head, SLICE("access-control-allow-origin")),
                            SLICE("http://localhost:3000")));
    exchange_close(ex);
    ex = begin("OPTIONS", "/own", "Host: localhost\n"); /* no preflight: the protocol's */
    assert_non_null(ex->protocol);
    exchange_close(ex);
}

static void test_shedding(void **state)
{
    (void)state;
    config.limits.max_buffered_bytes = 10000;
    metrics_add(&metrics, METRIC_BUFFERED_BYTES, 9100); /* wherever in the worker they wait */
    struct exchange *ex = begin("GET", "/own", "Host: a\n");
    exchange_commit(ex);
    assert_false(ex->must_close);
    exchange_close(ex);
    metrics_add(&metrics, METRIC_BUFFERED_BYTES, 200);
    ex = begin("GET", "/own", "Host: a\n");
    assert_non_null(ex->protocol);
    exchange_commit(ex);
    assert_true(ex->must_close);
    exchange_close(ex);
    metrics_add(&metrics, METRIC_BUFFERED_BYTES, 300);
    ex = begin("POST", "/own", "Host: localhost\nOrigin: http://localhost:3000\n");
    assert_int_equal(ex->http_status, 503);
    assert_true(ex->must_close);
    exchange_commit(ex); /* a page can read it */
    assert_non_null(metadata_get(&ex->head, SLICE("access-control-allow-origin")).data);
    exchange_close(ex);
    metrics_sub(&metrics, METRIC_BUFFERED_BYTES, 9600);
    ctx.draining = true;
    ex = begin("GET", "/own", "Host: a\n");
    exchange_commit(ex);
    assert_true(ex->must_close);
    exchange_close(ex);
}

static void test_upgrade(void **state)
{
    (void)state;
    static uint8_t piece[EXCHANGE_HIGH_WATER];
    in_open = upgrade;
    struct exchange *ex = begin("GET", "/own/a?b", "Host: a\nOrigin: http://localhost\nX-Y: z\n");
    const struct exchange_request *req = exchange_request(ex);
    in_open = NULL; /* another request takes the place that the first was read from */
    exchange_close(
        begin("GET", "/other", "Host: b\nX: something else, quite long, to overwrite it\n"));
    assert_true(slice_equal(req->path, SLICE("/own/a")) && slice_equal(req->query, SLICE("b")));
    assert_true(slice_equal(req->host, SLICE("a")));
    assert_true(slice_equal(metadata_get(&req->headers, SLICE("x-y")), SLICE("z")));
    exchange_commit(ex);
    assert_true(ex->upgraded && ex->http_status == 101);
    assert_int_equal(ex->head.count, 2); /* no fields for cross-origin readers */
    assert_true(slice_equal(metadata_get(&ex->head, SLICE("upgrade")), SLICE("websocket")));
    transcript[0] = 0;
    exchange_take_body_end(ex); /* of the request: says nothing of the bytes that follow */
    exchange_take_body(ex, SLICE("raw"));
    exchange_pause_upload(ex);
    assert_int_equal(exchange_take_body(ex, SLICE("more")), 0);
    assert_string_equal(transcript, "body:raw ");
    /* Told "full", it hears when there is room, also if it wrote something small meanwhile. */
    assert_false(exchange_write(ex, slice_from(piece, sizeof piece)));
    exchange_drop_output(ex, EXCHANGE_HIGH_WATER / 4);
    assert_false(exchange_write(ex, SLICE("pong")));
    exchange_drop_output(ex, EXCHANGE_HIGH_WATER / 2);
    assert_string_equal(transcript, "body:raw writable ");
    exchange_close(ex);
}

static void test_what_may_be_upgraded(void **state)
{
    (void)state;
    static const struct {
        const char *method, *fields;
        bool wanted;
    } rows[] = {
        {"GET", "Host: a\n", true},
        {"GET", "Host: a\nContent-Length: 0\n", true},
        {"GET", "Host: a\nContent-Length: 1\n", false},
        {"GET", "Host: a\nTransfer-Encoding: chunked\n", false},
        {"POST", "Host: a\n", false},
        {"HEAD", "Host: a\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exchange *ex = begin(rows[i].method, "/own", rows[i].fields);
        assert_int_equal(exchange_request(ex)->upgradable, rows[i].wanted);
        exchange_close(ex);
    }
}

static void test_recycling(void **state)
{
    (void)state;
    struct exchange *first = begin("GET", "/own", "Host: a\n");
    answer(first);
    exchange_close(first);
    struct exchange *again = begin("GET", "/own", "Host: a\n");
    assert_ptr_equal(first, again);
    assert_int_equal(again->reply, REPLY_NONE);
    assert_output(again, "");
    assert_int_equal(again->head.count, 0);
    exchange_close(again);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request_as_protocols_see_it),
        TEST(test_custom_method),
        TEST(test_many_fields),
        TEST(test_echo),
        TEST(test_pause),
        TEST(test_back_pressure),
        TEST(test_answer_before_the_body),
        TEST(test_hold),
        TEST(test_hold_ends_at_its_bound),
        TEST(test_stuck),
        TEST(test_head_of_a_chunked_request_is_kept),
        TEST(test_abort_during_an_upload),
        TEST(test_no_callbacks),
        TEST(test_discard_bound),
        TEST(test_abort),
        TEST(test_refusals_reach_no_protocol),
        TEST(test_path_prefix),
        TEST(test_outside_of_the_prefix),
        TEST(test_trailers),
        TEST(test_too_many_trailers),
        TEST(test_too_large_a_head),
        TEST(test_preflight_and_fields),
        TEST(test_shedding),
        TEST(test_upgrade),
        TEST(test_what_may_be_upgraded),
        TEST(test_recycling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
