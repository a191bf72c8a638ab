"""Functions that `vs_vdiff` compiled: what it hands over of one, and how that is checked.

The argument `kernel` is a ticket of 40 bytes: magic, the address of a descriptor, the process, a checksum. A ticket
that was made up, cut, or kept from another process is refused before its address is looked at. Native code that uses
a function counts itself in the descriptor's `users`; `vs_vdiff` frees it only when there are none.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from common.args cimport Args, fail


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
        int64_t height, width;
        const double *params;
        double peak;
    } VdiffCall;

    typedef struct VdiffKernel {
        char magic[16];
        uint64_t self;
        uint32_t size;
        int32_t users;
        int32_t sources, params;
        int32_t src_type, dst_type;
        int32_t (*run)(const VdiffCall *call, void **exception);
        void (*describe)(void *exception, char *text, int32_t size);
    } VdiffKernel;

    static inline void vdiff_add(int32_t *cell, int32_t value) { __atomic_add_fetch(cell, value, __ATOMIC_ACQ_REL); }
    """
    ctypedef struct Call "VdiffCall":
        void *dst
        int64_t dst_stride           # bytes
        const void **src
        const int64_t *src_stride
        int64_t height
        int64_t width
        const double *params
        double peak                  # of the output's format

    ctypedef struct Kernel "VdiffKernel":
        char magic[16]
        uint64_t self
        uint32_t size
        int32_t users
        int32_t sources
        int32_t params
        int32_t src_type             # a NativeType, as dst_type
        int32_t dst_type
        int32_t (*run)(const Call *call, void **exception) noexcept nogil
        void (*describe)(void *exception, char *text, int32_t size) noexcept nogil

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


cdef inline Kernel *native_arg(Args *a, const char *key, const char *kind) noexcept nogil:
    """The function that a ticket stands for, counted as in use. `kind`: its magic, 16 bytes."""
    cdef const uint8_t *ticket = <const uint8_t *>a.api.mapGetData(a.given, key, 0, NULL)
    cdef int size = a.api.mapGetDataSize(a.given, key, 0, NULL)
    cdef uint64_t words[3]     # address, process, checksum
    cdef Kernel *k
    if size == TICKET and memcmp(ticket, kind, MAGIC) == 0:
        memcpy(words, ticket + MAGIC, TICKET - MAGIC)
        k = <Kernel *>words[0]
        if (words[2] == checksum(ticket, TICKET - 8) and words[1] == <uint64_t>getpid()
                and memcmp(k.magic, kind, MAGIC) == 0 and k.self == words[0] and k.size == sizeof(Kernel)):
            atomic_add(&k.users, 1)
            return k
    fail(a, b"kernel is not one that vs_vdiff has made in this process: make it with vs_vdiff.kernel.")
    return NULL


cdef inline void release_native(Kernel *k) noexcept nogil:
    if k != NULL:
        atomic_add(&k.users, -1)
