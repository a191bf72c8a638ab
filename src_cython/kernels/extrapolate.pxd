"""How far a change has gone on after some frames, when each moves alpha times as far as the one before.

The sum of alpha^1...alpha^k, by doubling k: c[2m] = c[m] * (1 + alpha^m), c[m+1] = alpha * (1 + c[m]). The same at any
k in any order, alpha = 1 is no special case, and 31 steps reach the longest clip.
"""

from libc.math cimport fmax, fmin


cdef enum:
    FURTHEST = 1000000   # times the last difference: no sample stays in range


cdef inline double bounded(double v, double limit) noexcept nogil:
    return fmin(fmax(v, -limit), limit)


cdef inline double reach(double alpha, int k) noexcept nogil:
    """alpha + alpha^2 + ... + alpha^k, held at +-FURTHEST."""
    cdef double c = 0
    cdef double power = 1
    cdef int bit
    for bit in range(30, -1, -1):
        c *= 1 + power
        power *= power
        if k >> bit & 1:
            c = alpha * (1 + c)
            power *= alpha
        # Far beyond what is returned, and squares still are numbers.
        c = bounded(c, 1e100)
        power = bounded(power, 1e100)
    return bounded(c, FURTHEST)
