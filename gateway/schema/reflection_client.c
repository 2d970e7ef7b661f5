#include "gateway/schema/reflection_client.h"

#include "gateway/call.h"
#include "gateway/schema/name.h"
#include "gateway/schema/proto_reader.h"
#include "gateway/schema/schema_builder.h"
#include "gateway/schema/well_known_files.h"

#include <stdlib.h>

#define ADVICE "pass --descriptors FILE, made by protoc --include_imports --descriptor_set_out=FILE"

enum {
    MAX_SERVICES = 4096,
    MAX_RESTARTS = 32, /* for servers that end the stream at a question they cannot answer */
    MAX_REPLY_LEN = SCHEMA_MAX_BYTES + (1 << 20),
};

/* ServerReflectionRequest.message_request, ServerReflectionResponse.message_response */
enum { FILE_BY_FILENAME = 3, FILE_CONTAINING_SYMBOL = 4, LIST_SERVICES = 7 };
enum { ANSWER_FILES = 4, ANSWER_SERVICES = 6, ANSWER_ERROR = 7 };

struct reflection_client {
    struct upstream *up;
    struct log *log;
    uint64_t deadline_ms;
    void (*on_done)(void *arg, struct schema *schema, const struct status *failure);
    void *arg;
    struct call *call;
    struct schema_builder *builder;
    struct arena arena;     /* names of services */
    struct slice *services; /* what the server lists; NULL until the list came */
    size_t service_count;
    size_t services_asked, services_answered, services_described;
    size_t imports_asked, imports_answered;
    size_t next_import; /* place in the builder's names */
    unsigned restarts;
    bool alpha, heard, full, half_closed;
};

static const struct call_events events;

static const char *source(const struct reflection_client *r)
{
    return r->alpha ? "reflection (v1alpha)" : "reflection (v1)";
}

static void free_client(struct reflection_client *r)
{
    schema_builder_free(r->builder);
    arena_fini(&r->arena);
    free(r);
}

static void finish(struct reflection_client *r, struct schema *schema, const struct status *failure)
{
    r->on_done(r->arg, schema, schema ? NULL : failure);
    free_client(r);
}

/* Ends the call too: for failures found in the middle. */
static void give_up(struct reflection_client *r, const struct status *failure)
{
    call_cancel(r->call);
    finish(r, NULL, failure);
}

static void note(const struct reflection_client *r, const char *what, struct slice name,
                 struct slice reason)
{
    if (r->log)
        log_message(r->log, LOG_LEVEL_WARN, "reflection", "%s %.*s is left out: %.*s", what,
                    SLICE_PRINT(name), (int)(reason.len < 200 ? reason.len : 200),
                    (const char *)reason.data);
}

static bool start_call(struct reflection_client *r)
{
    struct call_request req = {
        .path = r->alpha ? SLICE("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
                         : SLICE("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        .deadline_ms = r->deadline_ms,
        .max_reply_len = MAX_REPLY_LEN,
    };
    r->full = r->half_closed = false;
    r->call = call_start(r->up, &req, &events, r);
    return r->call != NULL;
}

/* One ServerReflectionRequest; what is at most NAME_MAX_LEN long. */
static void ask(struct reflection_client *r, uint8_t question, struct slice what)
{
    uint8_t request[3 + NAME_MAX_LEN];
    size_t len = 0;
    request[len++] = (uint8_t)(question << 3 | WIRE_LEN);
    if (what.len >= 0x80)
        request[len++] = (uint8_t)(what.len | 0x80);
    request[len++] = (uint8_t)(what.len >= 0x80 ? what.len >> 7 : what.len);
    memcpy(request + len, what.data, what.len);
    r->full = !call_send(r->call, slice_from(request, len + what.len));
}

/* The next import that neither the server has given nor the program knows. */
static const struct descriptor_file *next_import(struct reflection_client *r)
{
    const struct descriptor_file *file;
    while ((file = schema_builder_at(r->builder, r->next_import))) {
        r->next_import++;
        if (!file->bytes.data && !well_known_file(file->name).data)
            return file;
    }
    return NULL;
}

/* Sends what there is room for.  Imports wait for the services: most servers send them along. */
static void pump(struct reflection_client *r)
{
    if (!r->services || r->half_closed)
        return;
    while (!r->full && r->services_asked < r->service_count)
        ask(r, FILE_CONTAINING_SYMBOL, r->services[r->services_asked++]);
    if (r->services_answered < r->service_count)
        return;
    while (!r->full) {
        const struct descriptor_file *file = next_import(r);
        if (!file)
            break;
        ask(r, FILE_BY_FILENAME, file->name);
        r->imports_asked++;
    }
    if (!r->full && r->imports_answered == r->imports_asked) {
        r->half_closed = true;
        call_half_close(r->call);
    }
}

static bool keep_service(struct reflection_client *r, struct slice name)
{
    if (!name_is_dotted(name) || r->service_count == MAX_SERVICES)
        return true;
    struct slice copy = arena_copy(&r->arena, name);
    if (copy.data)
        r->services[r->service_count++] = copy;
    return copy.data != NULL;
}

/* ListServiceResponse */
static bool take_services(struct reflection_client *r, struct slice list, struct status *st)
{
    r->services = arena_alloc(&r->arena, MAX_SERVICES * sizeof *r->services);
    bool good = r->services != NULL;
    struct proto_reader reader, inner;
    struct proto_field service, name;
    proto_reader_init(&reader, list);
    while (good && proto_reader_next(&reader, &service)) {
        proto_reader_init(&inner, service.bytes);
        while (good && proto_reader_next(&inner, &name))
            if (service.number == 1 && name.number == 1)
                good = keep_service(r, name.bytes);
    }
    if (good && r->service_count > 0)
        return true;
    status_set(st, good ? STATUS_NOT_FOUND : STATUS_RESOURCE_EXHAUSTED, "%s: %s; " ADVICE,
               source(r), good ? "the server lists no services" : "memory is out");
    return false;
}

/* FileDescriptorResponse.  False with *st: a file that is no good, or a limit. */
static bool take_files(struct reflection_client *r, struct slice files, struct status *st)
{
    struct proto_reader reader;
    struct proto_field file;
    proto_reader_init(&reader, files);
    while (proto_reader_next(&reader, &file))
        if (file.number == 1 && file.wire_type == WIRE_LEN &&
            !schema_builder_add_file(r->builder, file.bytes, source(r), st))
            return false;
    if (reader.malformed)
        status_set(st, STATUS_INVALID_ARGUMENT, "the answer is malformed");
    return !reader.malformed;
}

/* ErrorResponse; the message is copied to *st. */
static void take_error(struct slice error, struct status *st)
{
    uint32_t code = STATUS_UNKNOWN;
    struct slice message = {NULL, 0};
    struct proto_reader reader;
    struct proto_field field;
    proto_reader_init(&reader, error);
    while (proto_reader_next(&reader, &field)) {
        if (field.number == 1 && field.wire_type == WIRE_VARINT && field.value < STATUS_CODE_COUNT)
            code = (uint32_t)field.value;
        else if (field.number == 2)
            message = field.bytes;
    }
    status_set(st, (enum status_code)code, "%s: %.*s", status_name(code),
               (int)(message.len < 150 ? message.len : 150), (const char *)message.data);
}

/* The answer to one question after the list.  False: nothing more is of use. */
static bool take_answer(struct reflection_client *r, const struct proto_field *answer,
                        struct status *st)
{
    bool described = false;
    if (answer->number == ANSWER_FILES)
        described = take_files(r, answer->bytes, st);
    else if (answer->number == ANSWER_ERROR)
        take_error(answer->bytes, st);
    else
        status_set(st, STATUS_INTERNAL, "the answer does not fit the question");
    if (!described && answer->number == ANSWER_FILES && st->code == STATUS_RESOURCE_EXHAUSTED)
        return false;
    if (r->services_answered < r->services_asked) {
        struct slice name = r->services[r->services_answered++];
        r->services_described += described;
        if (!described)
            note(r, "service", name, status_message(st));
    } else if (r->imports_answered < r->imports_asked) {
        r->imports_answered++; /* what a missing file breaks is told when the schema is built */
    }
    return true;
}

static bool take_list(struct reflection_client *r, const struct proto_field *answer,
                      struct status *st)
{
    struct status why;
    if (answer->number == ANSWER_SERVICES)
        return take_services(r, answer->bytes, st);
    status_set(&why, STATUS_INTERNAL, "the answer does not fit the question");
    if (answer->number == ANSWER_ERROR)
        take_error(answer->bytes, &why);
    status_set(st, (enum status_code)why.code,
               "%s: the services cannot be listed (%.100s); " ADVICE, source(r), why.text);
    return false;
}

static void on_message(void *arg, struct slice message)
{
    struct reflection_client *r = arg;
    struct proto_field field, answer = {0};
    struct proto_reader reader;
    struct status st;
    r->heard = true;
    proto_reader_init(&reader, message);
    while (proto_reader_next(&reader, &field))
        if (field.wire_type == WIRE_LEN && field.number >= ANSWER_FILES &&
            field.number <= ANSWER_ERROR)
            answer = field;
    if (r->services ? take_answer(r, &answer, &st) : take_list(r, &answer, &st))
        pump(r);
    else
        give_up(r, &st);
}

static void on_writable(void *arg)
{
    struct reflection_client *r = arg;
    r->full = false;
    pump(r);
}

/* Compiles what was given; when that fails for want of imports, without the files that want them.
 */
static void build(struct reflection_client *r)
{
    struct status st, why;
    struct schema *schema = NULL;
    if (r->services_described == 0) {
        status_set(&st, STATUS_NOT_FOUND,
                   "%s: the server describes none of its %zu services; " ADVICE, source(r),
                   r->service_count);
        finish(r, NULL, &st);
        return;
    }
    schema = schema_build(r->builder, &why);
    const char *missing = schema ? NULL : schema_builder_missing(r->builder);
    if (missing) {
        note(r, "whatever needs", slice_from_string(missing), status_message(&why));
        schema_builder_drop_incomplete(r->builder);
        struct status again;
        schema = schema_build(r->builder, &again);
        if (schema && schema_service_count(schema) == 0) {
            schema_unref(schema);
            schema = NULL;
        }
    }
    if (!schema)
        status_set(&st, STATUS_FAILED_PRECONDITION, "%s: %.120s; " ADVICE, source(r), why.text);
    finish(r, schema, &st);
}

static void fail(struct reflection_client *r, const struct status *status)
{
    struct status st;
    struct slice message = status_message(status);
    int len = (int)(message.len < 200 ? message.len : 200);
    const char *text = (const char *)message.data;
    if (status->code == STATUS_UNIMPLEMENTED)
        status_set(&st, STATUS_UNIMPLEMENTED, "reflection is not enabled on the server: " ADVICE);
    else if (status->code == STATUS_DEADLINE_EXCEEDED)
        status_set(&st, STATUS_DEADLINE_EXCEEDED,
                   "the server did not finish reflection within %d s; " ADVICE,
                   REFLECTION_TIMEOUT_MS / 1000);
    else if (status->code == STATUS_UNAVAILABLE)
        status_set(&st, STATUS_UNAVAILABLE, "the server cannot be reached: %.*s", len, text);
    else
        status_set(&st, (enum status_code)status->code, "reflection failed (%s: %.*s); " ADVICE,
                   status_name(status->code), len, text);
    finish(r, NULL, &st);
}

static void fail_memory(struct reflection_client *r)
{
    struct status st;
    status_set(&st, STATUS_RESOURCE_EXHAUSTED, "reflection: memory is out");
    finish(r, NULL, &st);
}

/* The list came, but the stream ended before every service was described.  The question in turn is
 * taken to be the reason; the others are asked on a new stream. */
static void go_on(struct reflection_client *r, const struct status *status)
{
    bool more = r->services_answered < r->service_count;
    bool final = status->code == STATUS_DEADLINE_EXCEEDED || status->code == STATUS_UNAVAILABLE;
    if (more && !final && r->restarts++ < MAX_RESTARTS) {
        note(r, "service", r->services[r->services_answered], status_message(status));
        r->services_answered++;
        r->services_asked = r->services_answered;
        more = r->services_answered < r->service_count;
        if (more) {
            if (start_call(r))
                pump(r);
            else
                fail_memory(r);
            return;
        }
    }
    if (more)
        fail(r, status);
    else
        build(r);
}

static void on_status(void *arg, const struct status *status, const struct metadata *trailers)
{
    struct reflection_client *r = arg;
    (void)trailers;
    if (r->services) {
        go_on(r, status);
        return;
    }
    /* A server without v1 says UNIMPLEMENTED; a proxy in between may say 404 or 503. */
    bool unknown = status->code == STATUS_UNIMPLEMENTED || status->code == STATUS_UNAVAILABLE;
    if (r->alpha || r->heard || !unknown) {
        fail(r, status);
        return;
    }
    r->alpha = true;
    if (start_call(r))
        ask(r, LIST_SERVICES, SLICE("*"));
    else
        fail_memory(r);
}

static const struct call_events events = {
    .on_message = on_message, .on_writable = on_writable, .on_status = on_status};

struct reflection_client *reflection_client_start(
    struct upstream *up, struct log *log, uint64_t now_ms,
    void (*on_done)(void *arg, struct schema *schema, const struct status *failure), void *arg)
{
    enum { NAMES_MAX = 8 << 20 };
    struct reflection_client *r = calloc(1, sizeof *r);
    struct schema_builder *builder = schema_builder_new();
    if (!r || !builder) {
        schema_builder_free(builder);
        free(r);
        return NULL;
    }
    *r = (struct reflection_client){.up = up,
                                    .log = log,
                                    .deadline_ms = now_ms + REFLECTION_TIMEOUT_MS,
                                    .on_done = on_done,
                                    .arg = arg,
                                    .builder = builder};
    arena_init(&r->arena, NULL, 0, NAMES_MAX);
    if (!start_call(r)) {
        free_client(r);
        return NULL;
    }
    ask(r, LIST_SERVICES, SLICE("*"));
    return r;
}

void reflection_client_cancel(struct reflection_client *r)
{
    call_cancel(r->call);
    free_client(r);
}
