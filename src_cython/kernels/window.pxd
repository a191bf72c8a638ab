"""Weighted means over a few neighbours on each side, along a row or across rows.

The weights are the heat kernel's, e^-v I_n(v) for a variance v, cut off at a radius; what lies beyond it is given to
the last neighbours, so that a constant stays one.
"""

from libc.string cimport memcpy

from common.c cimport crow, row
from kernels.heat cimport heat_weights


cdef enum:
    REACH = 15             # the largest radius: with one pixel more, what ghosts at the ends of a row have room for
    ORDERS = 200           # of the heat kernel, for variances up to 100 enough that nothing lies beyond


cdef struct Window:
    int radius
    float weights[REACH + 1]     # of the centre, then outwards


cdef inline void describe_window(Window *w, double variance, int radius) noexcept nogil:
    cdef double values[ORDERS]
    cdef double centre = 1
    cdef int n
    w.radius = radius if variance > 1e-8 else 0    # or no neighbour weighs anything
    if w.radius > 0:
        heat_weights(0.5 * variance, values, ORDERS)
        for n in range(radius + 1, ORDERS):
            values[radius] += values[n]
    for n in range(1, w.radius + 1):
        w.weights[n] = <float>values[n]
        centre -= 2 * <double>w.weights[n]
    w.weights[0] = <float>centre


# Opposite neighbours are added first: a mirrored picture has the same sums.

cdef inline void mean_of_3(row out, crow a, crow centre, crow b, int n, const float *weights) noexcept nogil:
    cdef float w0 = weights[0]
    cdef float w1 = weights[1]
    cdef int x
    for x in range(n):  # hot
        out[x] = w0 * centre[x] + w1 * (a[x] + b[x])


cdef inline float seven(
        float a3, float a2, float a1, float centre, float b1, float b2, float b3, float w0, float w1, float w2,
        float w3) noexcept nogil:
    return (w0 * centre + w1 * (a1 + b1)) + (w2 * (a2 + b2) + w3 * (a3 + b3))


cdef inline void mean_of_7(row out, const float **rows, int n, const float *weights) noexcept nogil:
    cdef crow a3 = (rows - 3)[0]
    cdef crow a2 = (rows - 2)[0]
    cdef crow a1 = (rows - 1)[0]
    cdef crow centre = rows[0]
    cdef crow b1 = rows[1]
    cdef crow b2 = rows[2]
    cdef crow b3 = rows[3]
    cdef float w0 = weights[0]
    cdef float w1 = weights[1]
    cdef float w2 = weights[2]
    cdef float w3 = weights[3]
    cdef int x
    for x in range(n):  # hot
        out[x] = seven(a3[x], a2[x], a1[x], centre[x], b1[x], b2[x], b3[x], w0, w1, w2, w3)


cdef inline void means_of_7(row out, row next_out, const float **rows, int n, const float *weights) noexcept nogil:
    """Around two rows, which share what is loaded."""
    cdef crow a3 = (rows - 3)[0]
    cdef crow a2 = (rows - 2)[0]
    cdef crow a1 = (rows - 1)[0]
    cdef crow centre = rows[0]
    cdef crow b1 = rows[1]
    cdef crow b2 = rows[2]
    cdef crow b3 = rows[3]
    cdef crow b4 = rows[4]
    cdef float w0 = weights[0]
    cdef float w1 = weights[1]
    cdef float w2 = weights[2]
    cdef float w3 = weights[3]
    cdef int x
    for x in range(n):  # hot
        out[x] = seven(a3[x], a2[x], a1[x], centre[x], b1[x], b2[x], b3[x], w0, w1, w2, w3)
        next_out[x] = seven(a2[x], a1[x], centre[x], b1[x], b2[x], b3[x], b4[x], w0, w1, w2, w3)


cdef inline void add_pair(row out, crow a, crow b, int n, float weight) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        out[x] += weight * (a[x] + b[x])


cdef inline void weighted_mean(float *out, const float **rows, int n, const Window *w) noexcept nogil:
    """out[x] = sum over k of weights[|k|] * rows[k][x], k from -radius to radius."""
    cdef int k = 1
    if w.radius == 0:
        memcpy(out, rows[0], n * sizeof(float))
    elif w.radius < 3:
        mean_of_3(out, (rows - 1)[0], rows[0], rows[1], n, w.weights)
        k = 2
    else:
        mean_of_7(out, rows, n, w.weights)
        k = 4
    while k <= w.radius:
        add_pair(out, (rows - k)[0], rows[k], n, w.weights[k])
        k += 1


cdef inline void weighted_means(float *out, float *next_out, const float **rows, int n, const Window *w) noexcept nogil:
    """weighted_mean around two rows, one following the other."""
    cdef int k
    if w.radius < 3:
        weighted_mean(out, rows, n, w)
        weighted_mean(next_out, rows + 1, n, w)
        return
    means_of_7(out, next_out, rows, n, w.weights)
    for k in range(4, w.radius + 1):
        add_pair(out, (rows - k)[0], rows[k], n, w.weights[k])
        add_pair(next_out, (rows + 1 - k)[0], rows[k + 1], n, w.weights[k])


cdef inline void mean_along(float *out, const float *u, int n, const Window *w) noexcept nogil:
    """out[x] = sum over k of weights[|k|] * u[x + k], k from -radius to radius."""
    cdef const float *beside[2 * REACH + 1]
    cdef int k
    for k in range(-w.radius, w.radius + 1):
        beside[REACH + k] = u + k
    weighted_mean(out, beside + REACH, n, w)


cdef inline float mean_near(const float *u, int x, float w0, float w1) noexcept nogil:
    """The same around u[x], of a radius of 1."""
    return w0 * u[x] + w1 * ((u - 1)[x] + u[x + 1])
