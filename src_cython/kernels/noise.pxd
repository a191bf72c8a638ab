"""The deviation of a picture's noise, from differences that its content hardly shows in.

The second difference along both axes, [1 -2 1; -2 4 -2; 1 -2 1] / 6, leaves white noise its deviation and nothing of a
plane (Immerkaer, Computer Vision and Image Understanding 64(2), 1996). The median of its size, not the mean, is taken,
over rows spread over the picture: edges and texture then count little. In the difference of two frames what stands
still does not count at all.
"""

from libc.limits cimport INT_MAX
from libc.math cimport fmax, fmin
from libc.stddef cimport size_t
from libc.string cimport memmove

from common.c cimport crow, row
from common.pixels cimport View, load_view
from kernels.diffuse cimport row_floats
from kernels.steering cimport median_deviation


cdef enum:
    SAMPLED = 64           # rows, about


cdef inline void subtract_row(row u, crow v, int n) noexcept nogil:
    cdef int x
    for x in range(n):  # hot
        u[x] -= v[x]


cdef inline void squared_second_difference(row s2, crow a, crow b, crow c, int n) noexcept nogil:
    """Of the pixels from 1 on."""
    cdef int x
    cdef float left, centre, right, d
    for x in range(n):  # hot
        left = (a[x] + c[x]) - <float>2 * b[x]
        centre = (a[x + 1] + c[x + 1]) - <float>2 * b[x + 1]
        right = (a[x + 2] + c[x + 2]) - <float>2 * b[x + 2]
        d = ((left + right) - <float>2 * centre) * <float>0.166666667
        s2[x] = d * d


cdef inline int sampled_rows(int height) noexcept nogil:
    cdef int every = max(1, height // SAMPLED)
    return (max(height - 2, 0) + every - 1) // every


cdef inline size_t noise_floats(int width, int height) noexcept nogil:
    """The scratch that noise_deviation needs."""
    return <size_t>sampled_rows(height) * width + 4 * row_floats(width)


cdef inline double deviation(const View *v, const View *minus, float *scratch) noexcept nogil:
    """Of a plane, or of its difference from another; -1: there is nothing to tell it from."""
    cdef size_t pitch = row_floats(v.width)
    cdef float *samples = scratch + 4 * pitch
    cdef float *found
    cdef int every = max(1, v.height // SAMPLED)
    cdef int n = v.width - 2
    cdef size_t count = 0
    cdef int y = 0
    cdef int k, first, last
    if n <= 0:
        return -1
    while y < v.height - 2 and count <= <size_t>(INT_MAX - n):
        for k in range(3):
            load_view(scratch + k * pitch, v, y + k)
            if minus != NULL:
                load_view(scratch + 3 * pitch, minus, y + k)
                subtract_row(scratch + k * pitch, scratch + 3 * pitch, v.width)
        found = samples + count
        squared_second_difference(found, scratch, scratch + pitch, scratch + 2 * pitch, n)
        # Black bars, or what else is constant to the border, are no picture.
        last = n
        while last > 0 and found[last - 1] == 0:
            last -= 1
        first = 0
        while first < last and found[first] == 0:
            first += 1
        memmove(found, found + first, (last - first) * sizeof(float))
        count += last - first
        y += every
    if count == 0:
        return -1
    return median_deviation(samples, <int>count, 1, 0) / 0.6744897501960817


cdef inline double noise_deviation(
        const View *middle, const View *before, const View *after, bint fresh, float *scratch) noexcept nogil:
    """Of a plane, on the working scale. `before`, `after`: the neighbours in time, or NULL.

    A difference of frames of `fresh`, independent noise has twice its variance; frames made of others may have as
    little noise as none. Repeated or skipped frames are no witnesses: half of what the plane itself shows is believed.
    """
    cdef double alone = deviation(middle, NULL, scratch)
    cdef double least = alone
    cdef double by_change
    cdef int i
    cdef const View *other
    for i in range(2):
        other = before if i == 0 else after
        if other != NULL:
            by_change = deviation(middle, other, scratch) * (0.7071067811865476 if fresh else 1)
            if by_change >= 0:
                least = fmin(least, by_change)
    return fmax(fmax(least, 0.5 * alone), 0)
