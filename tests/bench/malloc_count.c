/* malloc_count: preloaded into a program (LD_PRELOAD), writes how often that asked glibc for memory
 * as one line on standard error, "allocations N", when it ends. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own, which the names below stand before. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_ulong allocations;

static void count_one(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_one();
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    count_one();
    return __libc_realloc(old, size);
}

__attribute__((destructor)) static void report(void)
{
    fprintf(stderr, "allocations %lu\n", atomic_load(&allocations));
}
