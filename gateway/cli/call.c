/* call: `drawbridge call TARGET METHOD [JSON]`: one RPC of any kind against any gRPC server, JSON
 * in, one line of JSON per reply out.  Everything that is said about it goes to standard error. */
#include "gateway/call.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/client.h"
#include "gateway/cli/failure.h"
#include "gateway/cli/input.h"
#include "gateway/cli/symbol.h"
#include "gateway/transcode/transcode.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_MESSAGE = 64 << 20, MAX_METADATA = 64 << 10 };

struct call_flags {
    struct client_flags client;
    const char *data;
    struct option_list headers;
    uint64_t deadline_ms; /* 0: none */
    bool verbose, emit_defaults;
};

/* What passed in one direction. */
struct traffic {
    uint64_t messages, wire_bytes, json_bytes;
};

struct rpc {
    const struct call_flags *flags;
    struct client *client;
    const struct method *method;
    struct transcode_options options;
    struct call *call; /* NULL once the status is there */
    struct input input;
    struct loop_io *io; /* NULL: standard input is not watched */
    struct buf scratch;
    struct traffic sent, received;
    uint64_t start_us;
    bool full; /* call_send() answered false */
    bool half_closed;
    int exit_status; /* -1 while it runs */
};

/* Ends without a gRPC status: something here went wrong. */
static void rpc_give_up(struct rpc *rpc, const char *what, struct slice why)
{
    fprintf(stderr, "drawbridge call: %s: %.*s\n", what, SLICE_PRINT(why));
    if (rpc->call)
        call_cancel(rpc->call);
    rpc->call = NULL;
    rpc->exit_status = COMMAND_CALL_FAILURE;
}

static void print_metadata(const char *mark, const struct metadata *md)
{
    for (uint32_t i = 0; i < md->count; i++)
        fprintf(stderr, "%s %.*s: %.*s\n", mark, SLICE_PRINT(md->entries[i].name),
                SLICE_PRINT(md->entries[i].value));
}

static void count(struct rpc *rpc, struct traffic *traffic, const char *mark, size_t wire,
                  size_t json)
{
    traffic->messages++;
    traffic->wire_bytes += wire;
    traffic->json_bytes += json;
    if (rpc->flags->verbose)
        fprintf(stderr, "%s message %llu: %zu bytes of protobuf, %zu of JSON\n", mark,
                (unsigned long long)traffic->messages, wire, json);
}

static void rpc_send(struct rpc *rpc, struct slice json)
{
    struct status st;
    buf_reset(&rpc->scratch, MAX_METADATA);
    if (!json_to_wire(rpc->method->input, json, &rpc->options, &rpc->scratch, &st)) {
        char what[64];
        snprintf(what, sizeof what, "request message %llu",
                 (unsigned long long)rpc->sent.messages + 1);
        rpc_give_up(rpc, what, status_message(&st));
        return;
    }
    struct slice wire = buf_slice(&rpc->scratch);
    count(rpc, &rpc->sent, ">", wire.len, json.len);
    rpc->full = !call_send(rpc->call, wire);
}

static void rpc_half_close(struct rpc *rpc)
{
    rpc->half_closed = true;
    call_half_close(rpc->call);
}

static void on_stdin(void *arg, int events);

/* Reads more: a file at once, standard input when the loop says that there is something. */
static void rpc_wait_for_input(struct rpc *rpc)
{
    if (rpc->io) {
        loop_io_set(rpc->io, LOOP_READ);
    } else {
        rpc->io = loop_io_new(rpc->client->loop, rpc->input.fd, LOOP_READ, on_stdin, rpc);
        if (!rpc->io)
            rpc_give_up(rpc, "standard input", SLICE("cannot be watched"));
    }
}

/* Sends what the input has, as far as the call takes it. */
static void rpc_pump(struct rpc *rpc)
{
    bool stream = rpc->method->client_streaming;
    while (rpc->call && !rpc->full && !rpc->half_closed) {
        struct slice json;
        switch (input_next(&rpc->input, !stream, &json)) {
        case INPUT_DOCUMENT:
            rpc_send(rpc, json);
            break;
        case INPUT_WAIT:
            rpc_wait_for_input(rpc);
            return;
        case INPUT_END:
            if (!stream && rpc->sent.messages == 0)
                rpc_send(rpc, SLICE("{}"));
            if (rpc->call)
                rpc_half_close(rpc);
            break;
        }
    }
    if (rpc->io)
        loop_io_set(rpc->io, 0);
}

static void on_stdin(void *arg, int events)
{
    struct rpc *rpc = arg;
    (void)events;
    bool was_open = rpc->input.fd >= 0;
    int result = input_read(&rpc->input);
    if (was_open && rpc->input.fd < 0) {
        loop_io_free(rpc->io);
        rpc->io = NULL;
    }
    if (result < 0)
        rpc_give_up(rpc, "reading the request", slice_from_string(strerror(-result)));
    else
        rpc_pump(rpc);
}

static void on_headers(void *arg, const struct metadata *headers)
{
    const struct rpc *rpc = arg;
    if (rpc->flags->verbose)
        print_metadata("<", headers);
}

static void on_message(void *arg, struct slice message)
{
    struct rpc *rpc = arg;
    struct status st;
    buf_reset(&rpc->scratch, MAX_METADATA);
    if (!wire_to_json(rpc->method->output, message, &rpc->options, &rpc->scratch, &st)) {
        rpc_give_up(rpc, "reply", status_message(&st));
        return;
    }
    struct slice json = buf_slice(&rpc->scratch);
    count(rpc, &rpc->received, "<", message.len, json.len);
    fwrite(json.data, 1, json.len, stdout);
    putchar('\n');
    if (fflush(stdout) != 0)
        rpc_give_up(rpc, "writing the reply", slice_from_string(strerror(errno)));
}

static void on_writable(void *arg)
{
    struct rpc *rpc = arg;
    rpc->full = false;
    rpc_pump(rpc);
}

static void print_totals(const struct rpc *rpc)
{
    uint64_t us = loop_now_us(rpc->client->loop) - rpc->start_us;
    const struct traffic *both[] = {&rpc->sent, &rpc->received};
    static const char *const names[] = {"sent", "received"};
    for (int i = 0; i < 2; i++)
        fprintf(
            stderr,
            "* %s %llu message%s: %llu bytes of protobuf, %llu with gRPC framing; as JSON %llu\n",
            names[i], (unsigned long long)both[i]->messages, both[i]->messages == 1 ? "" : "s",
            (unsigned long long)both[i]->wire_bytes,
            (unsigned long long)(both[i]->wire_bytes + 5 * both[i]->messages),
            (unsigned long long)both[i]->json_bytes);
    fprintf(stderr,
            "* %.3f ms from the start of the call to its status; the bytes are without HTTP/2 "
            "headers\n",
            (double)us / 1000);
}

static void on_status(void *arg, const struct status *status, const struct metadata *trailers)
{
    struct rpc *rpc = arg;
    rpc->call = NULL;
    rpc->exit_status = (int)status->code;
    if (rpc->flags->verbose) {
        print_metadata("< trailer", trailers);
        fprintf(stderr, "< status %s (%u)\n", status_name(status->code), status->code);
        print_totals(rpc);
    }
    if (status->code != STATUS_OK)
        failure_print(status, rpc->client->schema, stderr);
}

static const struct call_events events = {
    .on_headers = on_headers,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_status = on_status,
};

static void rpc_run(struct rpc *rpc, const struct metadata *metadata)
{
    struct loop *loop = rpc->client->loop;
    const struct call_request req = {
        .path = rpc->method->path,
        .metadata = metadata,
        .deadline_ms = rpc->flags->deadline_ms ? loop_now_ms(loop) + rpc->flags->deadline_ms : 0,
        .max_reply_len = MAX_MESSAGE,
    };
    rpc->start_us = loop_now_us(loop);
    rpc->call = call_start(rpc->client->upstream, &req, &events, rpc);
    if (!rpc->call) {
        rpc_give_up(rpc, "starting the call", SLICE("out of memory"));
        return;
    }
    if (rpc->flags->verbose) {
        fprintf(stderr, "> %.*s\n", SLICE_PRINT(rpc->method->path));
        print_metadata(">", metadata);
    }
    rpc_pump(rpc);
    while (rpc->exit_status < 0)
        loop_turn(loop, -1);
}

/* "name: value" as metadata.  False with a sentence on standard error. */
static bool add_header(struct metadata *md, const char *text)
{
    uint8_t name[256];
    struct slice value = slice_from_string(text);
    struct slice given = slice_trim(slice_cut(&value, ':'));
    if (!value.data || given.len >= sizeof name)
        return false;
    memcpy(name, given.data, given.len);
    if (!metadata_lower_name(name, given.len))
        return false;
    struct slice lower = slice_from(name, given.len);
    value = slice_trim(value);
    if (metadata_is_binary(lower)) {
        if (!metadata_binary_valid(value))
            return false;
        value = metadata_binary_unpadded(value, md->arena);
        if (!value.data)
            return false;
    }
    return metadata_value_valid(value) && !metadata_stripped_upstream(lower) &&
           metadata_add(md, lower, value) == 0;
}

static int run_method(const struct command *command, const struct call_flags *flags,
                      struct client *client, const struct method *method, const char *data)
{
    struct rpc rpc = {.flags = flags, .client = client, .method = method, .exit_status = -1};
    struct arena arena;
    struct metadata metadata;
    arena_init(&arena, NULL, 0, 2 * MAX_METADATA);
    metadata_init(&metadata, &arena, MAX_METADATA);
    rpc.options =
        (struct transcode_options){.schema = client->schema, .emit_defaults = flags->emit_defaults};
    buf_init(&rpc.scratch, MAX_MESSAGE);
    for (size_t i = 0; i < flags->headers.count && rpc.exit_status < 0; i++)
        if (!add_header(&metadata, flags->headers.items[i]))
            rpc.exit_status = command_wrong_usage(
                command,
                "--header needs name:value, with a name that gRPC does not use itself "
                "and base64 for -bin names, not \"%.80s\"",
                flags->headers.items[i]);
    const char *source = data ? data : method->client_streaming ? "-" : "";
    int result = rpc.exit_status < 0 ? input_open(&rpc.input, source) : 0;
    if (result < 0)
        rpc_give_up(&rpc, source, slice_from_string(strerror(-result)));
    if (rpc.exit_status < 0)
        rpc_run(&rpc, &metadata);
    if (rpc.io)
        loop_io_free(rpc.io);
    input_close(&rpc.input);
    buf_fini(&rpc.scratch);
    arena_fini(&arena);
    return rpc.exit_status;
}

static int call_client(const struct command *command, const struct call_flags *flags,
                       struct client *client, const struct option_list *operands)
{
    struct status st;
    struct slice name = slice_from_string(operands->items[1]);
    const char *data = operands->count > 2 ? operands->items[2] : flags->data;
    if (!client_load_schema(client, &flags->client.descriptors, flags->deadline_ms, &st)) {
        fprintf(stderr, "drawbridge call: the services of %s are not known: %.*s\n",
                operands->items[0], SLICE_PRINT(status_message(&st)));
        bool no_answer = st.code == STATUS_UNAVAILABLE || st.code == STATUS_DEADLINE_EXCEEDED;
        return no_answer ? (int)st.code : COMMAND_CALL_FAILURE;
    }
    const struct method *method = symbol_method(client->schema, name);
    if (method)
        return run_method(command, flags, client, method, data);
    char nearest[SYMBOL_MAX_LEN];
    bool found = symbol_nearest_method(client->schema, name, nearest);
    fprintf(stderr, "drawbridge call: %s has no method \"%.*s\"%s%s%s\n", operands->items[0],
            SLICE_PRINT(name), found ? "; did you mean " : "", found ? nearest : "",
            found ? "?" : "; drawbridge list shows what it has");
    return COMMAND_CALL_FAILURE;
}

static int run_call(const struct command *command, int argc, char **argv)
{
    struct call_flags flags = {0};
    struct option_list operands = {0};
    struct client client;
    char error[OPTION_ERROR_LEN];
    int wrong = command_parse(command, &flags, argc, argv, &operands);
    if (wrong)
        return wrong;
    if (operands.count < 2 || operands.count > 3)
        return command_wrong_usage(command, "needs a target, a method and at most one JSON text");
    if (operands.count == 3 && flags.data)
        return command_wrong_usage(command, "the request is given twice: by --data and at the end");
    int result = client_open(&client, operands.items[0], &flags.client, error);
    if (result == -EINVAL)
        return command_wrong_usage(command, "%s", error);
    if (result < 0) {
        fprintf(stderr, "drawbridge call: %s\n", error);
        return COMMAND_CALL_FAILURE;
    }
    int status = call_client(command, &flags, &client, &operands);
    client_close(&client);
    return status;
}

static const struct option options[] = {
    {"data", "JSON", "The request, like the last operand; @FILE reads a file, - standard input.",
     NULL, 0, 0, offsetof(struct call_flags, data), OPTION_TEXT, 'd'},
    {"header", "NAME:VALUE", "Request metadata; repeatable.", NULL, 0, 0,
     offsetof(struct call_flags, headers), OPTION_LIST, 'H'},
    {"deadline", "D", "Give up after this long, such as 2s or 500ms (default: never).", NULL, 1, 0,
     offsetof(struct call_flags, deadline_ms), OPTION_DURATION, 't'},
    {"verbose", NULL, "Show metadata, trailers and byte counts.", NULL, 0, 0,
     offsetof(struct call_flags, verbose), OPTION_FLAG, 'v'},
    {"emit-defaults", NULL, "Print fields that are not set, too.", NULL, 0, 0,
     offsetof(struct call_flags, emit_defaults), OPTION_FLAG, 0},
    CLIENT_OPTIONS(offsetof(struct call_flags, client)),
    {.name = NULL},
};

const struct command command_call = {
    .name = "call",
    .summary = "call a method of a gRPC server with JSON",
    .operands = "HOST:PORT SERVICE/METHOD [JSON]",
    .details = "Prints one line of JSON per reply.  A method that takes a stream reads one JSON\n"
               "document per message, from standard input when no request is given; any other\n"
               "method is then called with an empty message.\n"
               "Exit status: that of gRPC (0 OK to 16), 64 wrong usage, 65 a local failure.",
    .examples = "  drawbridge call localhost:50051 Calculator/SquareRoot '{\"value\":16}'\n"
                "  seq 3 | sed 's/.*/{\"value\":&}/' | drawbridge call localhost:50051 "
                "Calculator/RunningTotal",
    .options = options,
    .usage_status = COMMAND_CALL_USAGE,
    .run = run_call,
};
