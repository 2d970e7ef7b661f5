#include "gateway/metrics.h"

#include <errno.h>

/* Upper bounds of the buckets but the last, in microseconds and as Prometheus prints them. */
static const struct {
    uint64_t us;
    const char *seconds;
} bounds[METRICS_BUCKETS - 1] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {10000000, "10"},
};

static const struct {
    const char *name, *type, *help;
} rows[] = {
#define X(symbol, name, type, help) {name, type, help},
    METRICS(X)
#undef X
};

/* The calls of one protocol, summed over workers. */
struct calls {
    const char *name;
    uint64_t handled[STATUS_CODE_COUNT], bucket[METRICS_BUCKETS], sum_us, upstream_sum_us;
};

static uint64_t get(const atomic_uint_least64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* Each value has one writer, so load and store need not be one operation. */
static void increase(atomic_uint_least64_t *value, uint64_t n)
{
    atomic_store_explicit(value, get(value) + n, memory_order_relaxed);
}

/* The row of that protocol, made when it is new; NULL when all are taken. */
static struct metrics_protocol *find_row(struct metrics *m, const char *protocol)
{
    for (size_t i = 0; i < METRICS_MAX_PROTOCOLS; i++) {
        struct metrics_protocol *row = &m->protocols[i];
        const char *name = atomic_load_explicit(&row->name, memory_order_relaxed);
        if (!name)
            atomic_store_explicit(&row->name, protocol, memory_order_release);
        if (!name || strcmp(name, protocol) == 0)
            return row;
    }
    return NULL;
}

void metrics_call(struct metrics *m, const char *protocol, uint32_t code, uint64_t us,
                  uint64_t upstream_us)
{
    struct metrics_protocol *row = m ? find_row(m, protocol) : NULL;
    if (!row)
        return;
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && us > bounds[bucket].us)
        bucket++;
    increase(&row->handled[code < STATUS_CODE_COUNT ? code : (uint32_t)STATUS_UNKNOWN], 1);
    increase(&row->bucket[bucket], 1);
    increase(&row->sum_us, us);
    increase(&row->upstream_sum_us, upstream_us);
}

uint64_t metrics_sum(struct metrics *const *all, size_t count, enum metric metric)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += get(&all[i]->values[metric]);
    return sum;
}

static void add_row(struct calls *to, const struct metrics_protocol *row)
{
    for (size_t i = 0; i < STATUS_CODE_COUNT; i++)
        to->handled[i] += get(&row->handled[i]);
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        to->bucket[i] += get(&row->bucket[i]);
    to->sum_us += get(&row->sum_us);
    to->upstream_sum_us += get(&row->upstream_sum_us);
}

/* Workers meet the protocols in different order: rows are joined by name. */
static size_t sum_calls(struct metrics *const *all, size_t count,
                        struct calls sums[static METRICS_MAX_PROTOCOLS])
{
    size_t used = 0;
    for (size_t i = 0; i < count * METRICS_MAX_PROTOCOLS; i++) {
        const struct metrics_protocol *row =
            &all[i / METRICS_MAX_PROTOCOLS]->protocols[i % METRICS_MAX_PROTOCOLS];
        const char *name = atomic_load_explicit(&row->name, memory_order_acquire);
        size_t at = 0;
        while (name && at < used && strcmp(sums[at].name, name) != 0)
            at++;
        if (!name || at == METRICS_MAX_PROTOCOLS)
            continue;
        if (at == used)
            sums[used++] = (struct calls){.name = name};
        add_row(&sums[at], row);
    }
    return used;
}

static int write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int write_handled(struct buf *out, const struct calls *calls, size_t count)
{
    int rc = write_head(out, "grpc_server_handled_total", "counter",
                        "Calls finished, by protocol and gRPC status.");
    for (size_t i = 0; i < count; i++)
        for (uint32_t code = 0; code < STATUS_CODE_COUNT; code++)
            if (calls[i].handled[code])
                rc |= buf_printf(
                    out, "grpc_server_handled_total{protocol=\"%s\",grpc_code=\"%s\"} %llu\n",
                    calls[i].name, status_name(code), (unsigned long long)calls[i].handled[code]);
    return rc;
}

/* Microseconds as seconds, exactly. */
static int write_seconds(struct buf *out, const char *name, const char *protocol, uint64_t us)
{
    return buf_printf(out, "%s{protocol=\"%s\"} %llu.%06u\n", name, protocol,
                      (unsigned long long)(us / 1000000), (unsigned)(us % 1000000));
}

static int write_histogram(struct buf *out, const struct calls *calls)
{
    uint64_t sum = 0;
    int rc = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        sum += calls->bucket[i];
        rc |=
            buf_printf(out, "grpc_server_handling_seconds_bucket{protocol=\"%s\",le=\"%s\"} %llu\n",
                       calls->name, i < METRICS_BUCKETS - 1 ? bounds[i].seconds : "+Inf",
                       (unsigned long long)sum);
    }
    rc |= write_seconds(out, "grpc_server_handling_seconds_sum", calls->name, calls->sum_us);
    rc |= buf_printf(out, "grpc_server_handling_seconds_count{protocol=\"%s\"} %llu\n", calls->name,
                     (unsigned long long)sum);
    return rc;
}

int metrics_write(struct metrics *const *all, size_t count, struct buf *out)
{
    int rc = 0;
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        rc |= write_head(out, rows[i].name, rows[i].type, rows[i].help);
        rc |= buf_printf(out, "%s %llu\n", rows[i].name,
                         (unsigned long long)metrics_sum(all, count, (enum metric)i));
    }
    struct calls calls[METRICS_MAX_PROTOCOLS];
    size_t protocols = sum_calls(all, count, calls);
    rc |= write_handled(out, calls, protocols);
    rc |= write_head(out, "grpc_server_handling_seconds", "histogram",
                     "Time from the request to its status.");
    for (size_t i = 0; i < protocols; i++)
        rc |= write_histogram(out, &calls[i]);
    rc |= write_head(out, "drawbridge_upstream_seconds_total", "counter",
                     "Part of the handling time that was spent upstream.");
    for (size_t i = 0; i < protocols; i++)
        rc |= write_seconds(out, "drawbridge_upstream_seconds_total", calls[i].name,
                            calls[i].upstream_sum_us);
    return rc ? -ENOBUFS : 0;
}
