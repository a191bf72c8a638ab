"""Arguments, read and checked at creation.

The first thing wrong is reported, `Name: what is wrong, the limit, the value given`, and every later reading is a
no-op: a filter reads all its arguments in a row and asks once, at the end, whether any failed.
"""

from libc.math cimport fabs, isfinite
from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, strcmp, strlen

from api.vapoursynth cimport VSAPI, VSMap, VSNode, VSVideoFormat, VSVideoInfo, stFloat, stInteger
from common.pixels cimport PLANES, Pixels, describe_pixels


cdef enum:
    MESSAGE = 512
    QUOTED = 64              # bytes of a word that a message repeats


cdef struct Args:
    const VSAPI *api
    const VSMap *given
    VSMap *out
    const char *name
    bint failed


cdef inline Args read_args(const char *name, const VSMap *given, VSMap *out, const VSAPI *api) noexcept nogil:
    cdef Args a
    a.api = api
    a.given = given
    a.out = out
    a.name = name
    a.failed = False
    return a


cdef inline void fail(Args *a, const char *message) noexcept nogil:
    cdef char text[2 * MESSAGE]
    if a.failed:
        return
    snprintf(text, 2 * MESSAGE, b"%s: %s", a.name, message)
    a.api.mapSetError(a.out, text)
    a.failed = True


cdef inline bint is_given(const Args *a, const char *key) noexcept nogil:
    return a.api.mapNumElements(a.given, key) > 0


cdef inline double checked(Args *a, const char *key, double value, double low, double high) noexcept nogil:
    cdef char text[MESSAGE]
    if isfinite(value) and low <= value <= high:
        return value
    # Few digits, unless they would show the limit itself.
    if fabs(value - low) <= 1e-9 * fabs(low) or fabs(value - high) <= 1e-9 * fabs(high):
        snprintf(text, MESSAGE, b"%s must be %.10g...%.10g, got %.17g.", key, low, high, value)
    else:
        snprintf(text, MESSAGE, b"%s must be %.10g...%.10g, got %.10g.", key, low, high, value)
    fail(a, text)
    return low


cdef inline int checked_int(Args *a, const char *key, int64_t value, int low, int high) noexcept nogil:
    cdef char text[MESSAGE]
    if low <= value <= high:
        return <int>value
    snprintf(text, MESSAGE, b"%s must be %d...%d, got %lld.", key, low, high, <long long>value)
    fail(a, text)
    return low


cdef inline double number(Args *a, const char *key, double default, double low, double high) noexcept nogil:
    if not is_given(a, key):
        return default
    return checked(a, key, a.api.mapGetFloat(a.given, key, 0, NULL), low, high)


cdef inline int integer(Args *a, const char *key, int default, int low, int high) noexcept nogil:
    if not is_given(a, key):
        return default
    return checked_int(a, key, a.api.mapGetInt(a.given, key, 0, NULL), low, high)


cdef inline int quoted_bytes(const char *word) noexcept nogil:
    """How much of a word a message repeats: no part of a character, if the word is too long."""
    cdef int count = 0
    while count < QUOTED and word[count] != 0:
        count += 1
    while count > 0 and (word[count] & 0xC0) == 0x80:   # UTF-8: not the first byte of a character
        count -= 1
    return count


cdef inline int choice(Args *a, const char *key, const char **options, int count, int default) noexcept nogil:
    """The index of the word given among `options`."""
    cdef char text[MESSAGE]
    cdef const char *word
    cdef const char *more = b""
    cdef int i, used
    if not is_given(a, key):
        return default
    word = a.api.mapGetData(a.given, key, 0, NULL)
    if strlen(word) != <size_t>a.api.mapGetDataSize(a.given, key, 0, NULL):
        more = b" followed by a zero byte"      # which ends no word of ours
    for i in range(count):
        if more[0] == 0 and strcmp(word, options[i]) == 0:
            return i
    used = snprintf(text, MESSAGE, b"%s must be one of ", key)
    for i in range(count):
        used += snprintf(text + used, MESSAGE - used, b"%s, ", options[i])
    snprintf(text + used, MESSAGE - used, b"got \"%.*s\"%s.", quoted_bytes(word), word, more)
    fail(a, text)
    return default


cdef inline void per_plane(
        Args *a, const char *key, int planes, double default, double low, double high, double *values) noexcept nogil:
    """One value a plane; the last one given stands for the planes after it."""
    cdef char text[MESSAGE]
    cdef int count = a.api.mapNumElements(a.given, key) if is_given(a, key) else 0
    cdef int p
    cdef double value = default
    if count > planes:
        snprintf(text, MESSAGE, b"%s has %d values, but the clip has %d plane%s.",
                 key, count, planes, b"s" if planes > 1 else b"")
        fail(a, text)
        return
    for p in range(PLANES):
        if p < count:
            value = checked(a, key, a.api.mapGetFloat(a.given, key, p, NULL), low, high)
        values[p] = value


cdef inline void contrast_per_plane(
        Args *a, const char *key, int planes, double default, double *values) noexcept nogil:
    """Contrasts on the 8-bit scale; 0 is one that is chosen from each picture."""
    cdef char text[MESSAGE]
    cdef double value
    cdef int p
    for p in range(a.api.mapNumElements(a.given, key)):
        value = a.api.mapGetFloat(a.given, key, p, NULL)
        if value != 0 and not 0.001 <= value <= 10000:
            snprintf(text, MESSAGE, b"%s must be 0 (chosen from each picture) or 0.001...10000, got %.10g.", key, value)
            fail(a, text)
    per_plane(a, key, planes, default, 0, 10000, values)


cdef inline void select_planes(Args *a, int planes, bint *process) noexcept nogil:
    """Marks the planes of the argument `planes`, all if it is not given."""
    cdef char text[MESSAGE]
    cdef int count = a.api.mapNumElements(a.given, b"planes")
    cdef int i, p
    for p in range(PLANES):
        process[p] = count <= 0 and p < planes
    for i in range(count):
        p = checked_int(a, b"planes", a.api.mapGetInt(a.given, b"planes", i, NULL), 0, planes - 1)
        if a.failed:
            return
        if process[p]:
            snprintf(text, MESSAGE, b"plane %d is given twice.", p)
            fail(a, text)
            return
        process[p] = True


cdef inline bint is_supported(const VSVideoFormat *f) noexcept nogil:
    """Whether every filter takes the format."""
    if f.sampleType == stFloat:
        return 16 <= f.bitsPerSample <= 32
    return f.sampleType == stInteger and 8 <= f.bitsPerSample <= 16


cdef inline VSNode *clip_arg(Args *a, const char *key, Pixels *pixels) noexcept nogil:
    """The clip, refused unless its format is one that every filter takes. The caller frees it, also after a failure."""
    return clip_at(a, key, 0, pixels)


cdef inline VSNode *clip_at(Args *a, const char *key, int index, Pixels *pixels) noexcept nogil:
    """The same of one of several clips."""
    cdef char text[MESSAGE]
    cdef char format_name[32]
    cdef const char *subject = key
    cdef VSNode *node = a.api.mapGetNode(a.given, key, index, NULL)
    cdef const VSVideoInfo *vi = a.api.getVideoInfo(node)
    cdef const VSVideoFormat *f = &vi.format
    cdef bint constant = vi.width > 0 and vi.height > 0 and f.colorFamily != 0
    if constant and is_supported(f):
        pixels[0] = describe_pixels(f.sampleType == stFloat, f.bitsPerSample)
        return node
    if not constant or not a.api.getVideoFormatName(f, format_name):
        snprintf(format_name, sizeof(format_name), b"variable")
    if strcmp(key, b"clip") == 0 or strcmp(key, b"clips") == 0:
        subject = b"Input clip"
    snprintf(text, MESSAGE, b"%s must be constant format 8..16 bit integer or 16-32 bit float, passed %s.",
             subject, format_name)
    fail(a, text)
    pixels[0] = describe_pixels(False, 8)
    return node


cdef inline void same_format(Args *a, const char *key, VSNode *clip, VSNode *other) noexcept nogil:
    """Refuses `other` unless it has the format and size of `clip`."""
    cdef char text[MESSAGE]
    cdef char ours[32]
    cdef char theirs[32]
    cdef const VSVideoInfo *v = a.api.getVideoInfo(clip)
    cdef const VSVideoInfo *w = a.api.getVideoInfo(other)
    if a.failed:
        return
    if v.width == w.width and v.height == w.height and memcmp(&v.format, &w.format, sizeof(VSVideoFormat)) == 0:
        return
    a.api.getVideoFormatName(&v.format, ours)
    a.api.getVideoFormatName(&w.format, theirs)
    snprintf(text, MESSAGE, b"%s must have the format and size of clip, %s %dx%d, got %s %dx%d.",
             key, ours, v.width, v.height, theirs, w.width, w.height)
    fail(a, text)
