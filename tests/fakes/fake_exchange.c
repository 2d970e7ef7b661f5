#include "fakes/fake_exchange.h"

#include <assert.h>

static struct fake_exchange *fake(const struct exchange *ex)
{
    return (struct fake_exchange *)(uintptr_t)ex;
}

struct exchange *fake_exchange_handle(struct fake_exchange *fx)
{
    return (struct exchange *)fx;
}

void fake_exchange_init(struct fake_exchange *fx, struct context *context,
                        enum exchange_method method, const char *path)
{
    static const char *const names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", "SEARCH"};
    *fx = (struct fake_exchange){.context = context};
    arena_init(&fx->arena, NULL, 0, 1 << 20);
    buf_init(&fx->body, 64 << 20);
    fx->request = (struct exchange_request){
        .method = method,
        .method_name = slice_from_string(names[method]),
        .target = slice_from_string(path),
        .path = slice_from_string(path),
        .content_length = UINT64_MAX,
        .host = SLICE("localhost:8080"),
        .peer = SLICE("127.0.0.1:4321"),
        .upgradable = method == METHOD_GET,
    };
    metadata_init(&fx->request.headers, &fx->arena, 1 << 16);
    metadata_init(&fx->headers, &fx->arena, 1 << 16);
    metadata_init(&fx->trailers, &fx->arena, 1 << 16);
}

void fake_exchange_header(struct fake_exchange *fx, const char *name, const char *value)
{
    metadata_add(&fx->request.headers, slice_from_string(name), slice_from_string(value));
    if (strcmp(name, "content-type") == 0)
        fx->request.content_type = slice_from_string(value);
}

void fake_exchange_open(struct fake_exchange *fx, const struct protocol *protocol)
{
    fx->protocol = protocol;
    fx->state = protocol->open(fake_exchange_handle(fx));
}

void fake_exchange_body(struct fake_exchange *fx, struct slice data)
{
    assert(!fx->upload_paused);
    if (!fx->discarding && !fx->aborted)
        fx->protocol->on_body(fake_exchange_handle(fx), fx->state, data);
}

void fake_exchange_body_end(struct fake_exchange *fx)
{
    if (!fx->discarding && !fx->aborted)
        fx->protocol->on_body_end(fake_exchange_handle(fx), fx->state);
}

void fake_exchange_drained(struct fake_exchange *fx)
{
    fx->full = false;
    fx->protocol->on_writable(fake_exchange_handle(fx), fx->state);
}

void fake_exchange_close(struct fake_exchange *fx)
{
    if (fx->protocol && fx->protocol->close)
        fx->protocol->close(fake_exchange_handle(fx), fx->state);
    fx->protocol = NULL;
    buf_fini(&fx->body);
    arena_fini(&fx->arena);
}

struct slice fake_exchange_answer(const struct fake_exchange *fx, const char *name)
{
    return metadata_get(&fx->headers, slice_from_string(name));
}

struct slice fake_exchange_trailer(const struct fake_exchange *fx, const char *name)
{
    return metadata_get(&fx->trailers, slice_from_string(name));
}

/* The contract. */

const struct exchange_request *exchange_request(const struct exchange *ex)
{
    return &fake(ex)->request;
}

struct context *exchange_context(const struct exchange *ex)
{
    return fake(ex)->context;
}

struct exchange_outcome *exchange_outcome(struct exchange *ex)
{
    return &fake(ex)->outcome;
}

void *exchange_alloc(struct exchange *ex, size_t size)
{
    return arena_alloc(&fake(ex)->arena, size);
}

struct arena *exchange_arena(struct exchange *ex)
{
    return &fake(ex)->arena;
}

void exchange_head(struct exchange *ex, int http_status, const struct metadata *headers)
{
    struct fake_exchange *fx = fake(ex);
    assert(fx->http_status == 0 && !fx->ended && !fx->aborted);
    fx->http_status = http_status;
    for (uint32_t i = 0; headers && i < headers->count; i++)
        metadata_add(&fx->headers, headers->entries[i].name, headers->entries[i].value);
}

void exchange_upgrade(struct exchange *ex, struct slice name, const struct metadata *headers)
{
    assert(fake(ex)->request.upgradable);
    fake(ex)->upgrade = name;
    exchange_head(ex, 101, headers);
}

bool exchange_write(struct exchange *ex, struct slice data)
{
    struct fake_exchange *fx = fake(ex);
    assert(fx->http_status && !fx->ended && !fx->aborted);
    buf_append_slice(&fx->body, data);
    return !fx->full;
}

void exchange_trailers(struct exchange *ex, const struct metadata *trailers)
{
    struct fake_exchange *fx = fake(ex);
    assert(!fx->ended && !fx->aborted && fx->trailers.count == 0);
    for (uint32_t i = 0; i < trailers->count; i++)
        metadata_add(&fx->trailers, trailers->entries[i].name, trailers->entries[i].value);
}

void exchange_end(struct exchange *ex)
{
    assert(fake(ex)->http_status && !fake(ex)->ended && !fake(ex)->aborted);
    fake(ex)->ended = fake(ex)->discarding = true;
}

void exchange_abort(struct exchange *ex)
{
    assert(!fake(ex)->ended);
    fake(ex)->aborted = true;
}

void exchange_pause_upload(struct exchange *ex)
{
    fake(ex)->upload_paused = true;
}

void exchange_resume_upload(struct exchange *ex)
{
    fake(ex)->upload_paused = false;
}

void exchange_discard_upload(struct exchange *ex)
{
    fake(ex)->discarding = true;
}

void exchange_hold(struct exchange *ex)
{
    (void)ex;
}

void exchange_allow_slow_upload(struct exchange *ex)
{
    fake(ex)->slow_upload = true;
}
