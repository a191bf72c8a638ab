"""Functions of which each library of mathematics has last bits of its own: here they are the same on every machine.

For a filter's constants, not for its pixels: they are within a few units in the last place, and not fast.
"""

from libc.math cimport M_LN2, M_PI, floor, ldexp


cdef struct Power:         # e^x = two * (1 + rest)
    double two             # a power of two
    double rest


cdef inline Power power_of_e(double x) noexcept nogil:
    """Of x from -700 to 700."""
    # ln 2 in two parts, the first of so few bits that its product with n is exact.
    cdef double n = floor(x / M_LN2 + 0.5)
    cdef double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    cdef double series = 1
    cdef Power e
    cdef int k
    for k in range(14, 1, -1):      # of |r| <= ln(2)/2, so that what is left out is below 2^-60
        series = 1 + series * r / k
    e.two = ldexp(1, <int>n)
    e.rest = series * r
    return e


cdef inline double exponential(double x) noexcept nogil:
    """e^x, x at most 700; 0 below -700."""
    cdef Power e
    if x < -700:
        return 0
    e = power_of_e(x)
    return e.two + e.two * e.rest


cdef inline double exponential_less_one(double x) noexcept nogil:
    """e^x - 1, x at most 700, as precise near 0 as elsewhere."""
    cdef Power e
    if x < -700:
        return -1
    e = power_of_e(x)
    return e.two * e.rest + (e.two - 1)


cdef inline double cosine(double x) noexcept nogil:
    """cos x, x from 0 to pi."""
    cdef double y = x if x < M_PI / 2 else M_PI - x
    cdef double series = 1
    cdef int k
    for k in range(12, 0, -1):      # of y <= pi/2, so that what is left out is below 2^-68
        series = 1 - series * y * y / (2 * k * (2 * k - 1))
    return series if x < M_PI / 2 else -series
