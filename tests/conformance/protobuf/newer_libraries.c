/* What conformance_test_runner, linked against glibc 2.38 and GCC 13's libstdc++, misses in those
 * of Debian 12.  Preloaded into it. */
#include <stdlib.h>

long strtol_c23(const char *text, char **end, int base) __asm__("__isoc23_strtol");
long strtol_c23(const char *text, char **end, int base)
{
    return strtol(text, end, base);
}

unsigned long strtoul_c23(const char *text, char **end, int base) __asm__("__isoc23_strtoul");
unsigned long strtoul_c23(const char *text, char **end, int base)
{
    return strtoul(text, end, base);
}

long long strtoll_c23(const char *text, char **end, int base) __asm__("__isoc23_strtoll");
long long strtoll_c23(const char *text, char **end, int base)
{
    return strtoll(text, end, base);
}

unsigned long long strtoull_c23(const char *text, char **end,
                                int base) __asm__("__isoc23_strtoull");
unsigned long long strtoull_c23(const char *text, char **end, int base)
{
    return strtoull(text, end, base);
}

/* std::ios_base_library_init() says that the library itself opens std::cout and its like; older
 * ones do so when an std::ios_base::Init is made. */
void library_init(void) __asm__("_ZSt21ios_base_library_initv");
void library_init(void)
{
}

void streams_open(void *init) __asm__("_ZNSt8ios_base4InitC1Ev");
__attribute__((constructor)) static void open_streams(void)
{
    static char init[16];
    streams_open(init);
}
