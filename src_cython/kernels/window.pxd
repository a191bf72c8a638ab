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
        out[x] = (w0 * centre[x] + w1 * (a1[x] + b1[x])) + (w2 * (a2[x] + b2[x]) + w3 * (a3[x] + b3[x]))


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


cdef inline void mean_around(float *out, const float **rows, int n, float *column, const Window *w) noexcept nogil:
    """The same along both axes; of the rows, `radius` more pixels count on either side.

    column: room for so many.
    """
    cdef const float *beside[2 * REACH + 1]
    cdef const float *wide[2 * REACH + 1]
    cdef int k
    for k in range(-w.radius, w.radius + 1):
        wide[REACH + k] = rows[k] - w.radius
        beside[REACH + k] = column + w.radius + k
    weighted_mean(column, wide + REACH, n + 2 * w.radius, w)
    weighted_mean(out, beside + REACH, n, w)
