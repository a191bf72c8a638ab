"""Functions that `vs_vdiff` compiled: what it hands over of one, and how that is checked.

The argument is a ticket of 40 bytes: magic, the address of a descriptor, the process, a checksum. A ticket that was
made up, cut, or kept from another process is refused before its address is looked at. Native code that uses a function
counts itself in the descriptor's `users`; `vs_vdiff` frees it only when there are none.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy

from common.args cimport MESSAGE, Args, fail, is_given


cdef extern from "<unistd.h>" nogil:
    int getpid()


cdef extern from * nogil:
    """
    #include <stdint.h>

    typedef struct VdiffCall {
        void *dst;
        int64_t dst_stride;
        const void *const *src;
        const int64_t *src_stride;
        const double *src_peak;
        int64_t height, width;
        const double *params;
        double dst_peak;
    } VdiffCall;

    typedef struct VdiffNative {
        char magic[16];
        uint64_t self;
        uint32_t size;
        int32_t users;
        int32_t sources, params;
        int32_t src_type, dst_type;
        union {
            int32_t (*run)(const VdiffCall *call, void **exception);
            void (*row)(float *s2, int64_t n, float scale);
        };
        union {
            void (*describe)(void *exception, char *text, int32_t size);
            void (*euler_row)(
                float *dst, const float *mid, const float *down, float *flux, int64_t n, float tau, float scale);
        };
    } VdiffNative;

    /* The magic of 16 bytes: what kind of function it is. */
    #define VDIFF_KERNEL "vdiff kernel 1\\0"
    #define VDIFF_DIFFUSIVITY "vdiff g 1\\0\\0\\0\\0\\0\\0"

    static inline void vdiff_add(int32_t *cell, int32_t value) { __atomic_add_fetch(cell, value, __ATOMIC_ACQ_REL); }
    """
    ctypedef struct Call "VdiffCall":
        void *dst
        int64_t dst_stride           # bytes
        const void **src
        const int64_t *src_stride
        const double *src_peak
        int64_t height
        int64_t width
        const double *params
        double dst_peak

    ctypedef struct Native "VdiffNative":
        char magic[16]
        uint64_t self
        uint32_t size
        int32_t users
        int32_t sources              # those of a kernel
        int32_t params
        int32_t src_type             # a NativeType, as dst_type
        int32_t dst_type
        int32_t (*run)(const Call *call, void **exception) noexcept nogil
        void (*describe)(void *exception, char *text, int32_t size) noexcept nogil
        # Of a diffusivity, in the same places:
        void (*row)(float *s2, int64_t n, float scale) noexcept nogil
        void (*euler_row)(
            float *dst, const float *mid, const float *down, float *flux, int64_t n, float tau,
            float scale) noexcept nogil

    const char *KERNEL "VDIFF_KERNEL"
    const char *DIFFUSIVITY "VDIFF_DIFFUSIVITY"
    void atomic_add "vdiff_add"(int32_t *cell, int32_t value)


cdef enum:
    MAGIC = 16
    TICKET = 40


cdef enum NativeType:
    NATIVE_BYTE
    NATIVE_WORD
    NATIVE_FLOAT


cdef inline uint64_t checksum(const uint8_t *bytes, int count) noexcept nogil:
    """FNV-1a."""
    cdef uint64_t sum = 0xCBF29CE484222325ULL
    cdef int i
    for i in range(count):
        sum = (sum ^ bytes[i]) * 0x100000001B3ULL
    return sum


cdef inline bint is_ticket(const Args *a, const char *key, const char *kind) noexcept nogil:
    """Whether the argument is, or would be, a ticket of the kind, KERNEL or DIFFUSIVITY."""
    return (is_given(a, key) and a.api.mapGetDataSize(a.given, key, 0, NULL) == TICKET
            and memcmp(a.api.mapGetData(a.given, key, 0, NULL), kind, MAGIC) == 0)


cdef inline Native *native_arg(Args *a, const char *key, const char *kind) noexcept nogil:
    """The function that a ticket stands for, counted as in use."""
    cdef char text[MESSAGE]
    cdef const uint8_t *ticket
    cdef uint64_t words[3]     # address, process, checksum
    cdef Native *f
    if is_ticket(a, key, kind):
        ticket = <const uint8_t *>a.api.mapGetData(a.given, key, 0, NULL)
        memcpy(words, ticket + MAGIC, TICKET - MAGIC)
        f = <Native *>words[0]
        if (words[2] == checksum(ticket, TICKET - 8) and words[1] == <uint64_t>getpid()
                and memcmp(f.magic, kind, MAGIC) == 0 and f.self == words[0] and f.size == sizeof(Native)):
            atomic_add(&f.users, 1)
            return f
    snprintf(text, MESSAGE, b"%s is not one that vs_vdiff has compiled in this process: call %s through vs_vdiff.",
             key, a.name)
    fail(a, text)
    return NULL


cdef inline void release_native(Native *f) noexcept nogil:
    if f != NULL:
        atomic_add(&f.users, -1)
