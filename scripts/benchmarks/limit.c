/* What the machine can do at most: memory copied, and float32 operations in vectors as wide as the plugin's.

   Compiled for the CPU level whose plugin is loaded, with WIDTH bytes of a vector. */

#include <stddef.h>
#include <string.h>

typedef float vector __attribute__((vector_size(WIDTH)));

/* Independent chains: as many as hide the latency of an operation and still fit the registers of every level. */
enum { CHAINS = 10, LANES = WIDTH / 4 };

/* Copies so many frames out of a ring into another one. */
void copy(char *to, size_t places, const char *from, size_t frames, size_t bytes, long count) {
    for (long n = 0; n < count; n++)
        memcpy(to + n % places * bytes, from + n % frames * bytes, bytes);
}

#define UNROLLED _Pragma("GCC unroll 16")
#define OPERATIONS(name, operation)                                                                                   \
    float name(float with, long rounds) {                                                                             \
        vector v[CHAINS], by = with - (vector){0};                                                                    \
        UNROLLED for (int c = 0; c < CHAINS; c++)                                                                     \
            v[c] = by * (float)(c + 1);                                                                               \
        for (long n = 0; n < rounds; n++)                                                                             \
            UNROLLED for (int c = 0; c < CHAINS; c++) {                                                               \
                v[c] = v[c] operation by;                                                                             \
                __asm__("" : OPERAND(v[c])); /* so that each is carried out */                                        \
            }                                                                                                         \
        UNROLLED for (int c = 1; c < CHAINS; c++)                                                                     \
            v[0] += v[c];                                                                                             \
        return v[0][0];                                                                                               \
    }

#if defined(__x86_64__)
#define OPERAND "+v"
#elif defined(__aarch64__)
#define OPERAND "+w"
#else
#define OPERAND "+m"
#endif

OPERATIONS(add, +)
OPERATIONS(mul, *)
OPERATIONS(div, /)

/* Operations of a round. */
int operations(void) { return CHAINS * LANES; }
