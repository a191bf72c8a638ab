"""What frames say of time and of cuts, where frames are put between or after those of a clip."""

from libc.stdint cimport INT64_MAX, int64_t

from api.vapoursynth cimport VSAPI, VSMap, VSVideoInfo, maReplace


cdef inline int64_t common_divisor(int64_t a, int64_t b) noexcept nogil:
    """The greatest one of positive numbers."""
    cdef int64_t rest
    while b != 0:
        rest = a % b
        a = b
        b = rest
    return a


cdef inline bint multiply_fraction(int64_t *num, int64_t *den, int factor) noexcept nogil:
    """Multiplies a positive fraction and reduces it. False, and left alone: it does not fit."""
    cdef int64_t divisor = common_divisor(num[0], den[0])
    cdef int64_t shared = common_divisor(den[0] // divisor, factor)
    if num[0] // divisor > INT64_MAX // (factor // shared):
        return False
    num[0] = num[0] // divisor * (factor // shared)
    den[0] = den[0] // divisor // shared
    return True


cdef inline void divide_duration(VSMap *props, int factor, const VSAPI *api) noexcept nogil:
    """A duration that no fraction of 64 bits tells is left out; what is no duration stays."""
    cdef int error = 0
    cdef int64_t num = api.mapGetInt(props, b"_DurationNum", 0, &error)
    cdef int64_t den = api.mapGetInt(props, b"_DurationDen", 0, &error) if error == 0 else 0
    if error != 0 or num <= 0 or den <= 0:
        return
    if multiply_fraction(&den, &num, factor):
        api.mapSetInt(props, b"_DurationNum", num, maReplace)
        api.mapSetInt(props, b"_DurationDen", den, maReplace)
    else:
        api.mapDeleteKey(props, b"_DurationNum")
        api.mapDeleteKey(props, b"_DurationDen")


cdef inline void move_time(VSMap *props, int k, const VSVideoInfo *vi, const VSAPI *api) noexcept nogil:
    """Advances _AbsoluteTime by k durations of a frame; where they are not known, or it is no float, it goes."""
    cdef int error = 0
    cdef double time = api.mapGetFloat(props, b"_AbsoluteTime", 0, &error)
    cdef int64_t num, den
    if error != 0:
        api.mapDeleteKey(props, b"_AbsoluteTime")
        return
    num = api.mapGetInt(props, b"_DurationNum", 0, &error)
    den = api.mapGetInt(props, b"_DurationDen", 0, &error)
    if error != 0 or num <= 0 or den <= 0:
        num = vi.fpsDen
        den = vi.fpsNum
    if den > 0:
        api.mapSetFloat(props, b"_AbsoluteTime", time + <double>k * num / den, maReplace)
    else:
        api.mapDeleteKey(props, b"_AbsoluteTime")


cdef inline void clear_flag(VSMap *props, const char *key, const VSAPI *api) noexcept nogil:
    """Where there is one."""
    if api.mapNumElements(props, key) >= 0:
        api.mapSetInt(props, key, 0, maReplace)
