"""Diffusivities g(s) of the contrast s, computed from s^2, each 1 at s = 0.

- exp(-s^2/k^2) and 1/(1 + s^2/k^2), `rational`: Perona and Malik, IEEE PAMI 12(7), 1990
- 1/sqrt(1 + s^2/k^2): Charbonnier, Blanc-Feraud, Aubert and Barlaud, IEEE TIP 6(2), 1997
- 1 - exp(-3.31488 (k/s)^8): Weickert, Anisotropic Diffusion in Image Processing, 1998
- (1 - s^2/(5 k^2))^2 up to s^2 = 5 k^2, then 0: Tukey's biweight; Black, Sapiro, Marimont, Heeger, IEEE TIP 7(3), 1998
- any function of s^2/k^2 that comes compiled

Numbers are marked as floats: of a plain 1 Cython makes a double, and what is computed with it takes twice as long.
"""

from libc.math cimport M_LN2, sqrtf
from libc.stdint cimport int64_t

from common.c cimport bits_of_float, float_of_bits, maxf, minf, row
from common.maths cimport exponential


cdef enum Diffusivity:
    LINEAR
    EXP
    RATIONAL
    CHARBONNIER
    WEICKERT
    TUKEY
    OWN


cdef struct OwnDiffusivity:
    # g(s2 * scale), within 0...1, of squared contrasts s2, in their place
    void (*row)(float *s2, int64_t n, float scale) noexcept nogil
    # A row of an Euler step; `flux` as in kernels.diffuse.stored_row
    void (*euler_row)(
        float *dst, const float *mid, const float *down, float *flux, int64_t n, float tau,
        float scale) noexcept nogil


cdef inline float exp_of_minus(float z) noexcept nogil:
    """exp(-z) to 3e-7 for z >= 0: as 2^-y, by the integer nearest to y and a Taylor polynomial of the rest."""
    # At least 2^-100, so that what it is multiplied by makes no denormal numbers of it, which take processors long.
    cdef float y = minf(z * <float>1.44269504, 100)
    cdef float shifted = y + <float>12582912.0     # the last bits of which are the integer
    cdef float whole = shifted - <float>12582912.0
    cdef float f = (whole - y) * <float>0.693147181
    cdef float p = <float>1 + f * (<float>1 + f * (<float>0.5 + f * (<float>0.166666667 + f * (
        <float>0.0416666667 + f * (<float>0.00833333333 + f * <float>0.00138888889)))))
    return p * float_of_bits((<unsigned int>127 << 23) - (bits_of_float(shifted) << 23))


cdef inline float weickert_drop(float ratio2) noexcept nogil:
    """1 - g, of k^2/s^2."""
    cdef float ratio4 = ratio2 * ratio2
    return exp_of_minus(<float>3.31488 * (ratio4 * ratio4))


cdef inline float weickert_diffusivity(float s2, float k2) noexcept nogil:
    return 1 - weickert_drop(k2 / s2)


cdef inline float tukey_diffusivity(float s2, float k2) noexcept nogil:
    cdef float rest = maxf(<float>1 - s2 / (<float>5 * k2), 0)
    return rest * rest


cdef inline void diffusivity_row(row g, int n, Diffusivity kind, float k2, const OwnDiffusivity *own) noexcept nogil:
    """From squared contrasts, in their place, to diffusivities. `own`: the functions if it is OWN."""
    cdef int x
    if kind == EXP:
        for x in range(n):  # hot
            g[x] = exp_of_minus(g[x] / k2)
    elif kind == RATIONAL:
        for x in range(n):  # hot
            g[x] = k2 / (k2 + g[x])
    elif kind == CHARBONNIER:
        for x in range(n):  # hot
            g[x] = sqrtf(k2 / (k2 + g[x]))
    elif kind == WEICKERT:
        for x in range(n):  # hot
            g[x] = weickert_diffusivity(g[x], k2)
    elif kind == TUKEY:
        for x in range(n):  # hot
            g[x] = tukey_diffusivity(g[x], k2)
    elif kind == OWN:
        own.row(g, n, 1 / k2)
    else:
        for x in range(n):  # hot
            g[x] = 1


cdef enum:
    TRIALS = 1024


cdef inline float steepest_descent(const OwnDiffusivity *own) noexcept nogil:
    """The least slope of the flux s*g(s^2), from s = 0.001 to 10^6: -1/8 for RATIONAL, -0.446 for EXP."""
    cdef float s[TRIALS]
    cdef float g[TRIALS]
    cdef float least = 0
    cdef float slope
    cdef int i
    for i in range(TRIALS):
        s[i] = <float>(0.001 * exponential(i * (30.0 * M_LN2 / TRIALS)))
        g[i] = s[i] * s[i]
    own.row(g, TRIALS, 1)
    for i in range(1, TRIALS):
        slope = (s[i] * g[i] - s[i - 1] * g[i - 1]) / (s[i] - s[i - 1])
        least = minf(slope, least)
    return least
