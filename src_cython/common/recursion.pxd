"""Recursions in time, served in any order of requests, with the same bytes.

The state of a recursion after frame n depends on where it began. So where it begins is fixed by n alone:

- *vanishing*: nothing is left of a frame `depth` frames later. Every chain that began at frame n - depth or earlier
  has the same state at n, and one chain goes on for ever.
- otherwise roundings, however small, remember. The clip is cut into blocks of twice `depth` frames, and the chain that
  serves a block begins `depth` frames before it, warming up beside the one that serves the second half of the block
  before. Longer blocks would spare playback more of that, but seeks go back up to one and a half of them.

A frame that starts a scene has no past: from there on, every chain is the same.

A *cursor* is one or two such chains at one frame. The host (mode fmParallelRequests) makes the calls that have their
frames ready one at a time, in any order, so nothing here needs a lock, and nothing waits. A call for frame n

- takes the output if another call computed it on its way (`collect`),
- else advances the cursor that is nearest below n through the frames it was given, giving the outputs of other frames
  that are wanted to the outbox, until n is reached,
- else asks for the next frames that cursor needs, a few at a time, and returns; the host calls again.

A cursor with an unfinished request is left alone by the others, so requests far apart do not destroy each other's
progress. Where too many of them are under way, a further one waits for its turn, and meanwhile asks for one after
another of the frames that it will need; after some of them it takes a cursor all the same.

What is asked for are frames between the chain's start and n, and no others: an error upstream reaches none that does
not depend on it. If a scene starts between them, that is known only when it arrives: an error less than three depths
before n may reach n although a cut lies between, unless a cursor that was right at the cut goes on to n, as in
playback.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from api.vapoursynth cimport VSAPI, VSFrame
from common.c cimport atomic_load, atomic_store, swap_if
from common.scratch cimport aligned_memory, free_aligned


cdef enum:
    IDLE_CURSORS = 3     # kept for readers that come back
    BUSY_CURSORS = 8     # at work at a time, each with a state of its own,
    MANY_CURSORS = 64    # and as many as this,
    ROOM = 1 << 27       # if their states fit into so many bytes
    PATIENCE = 64        # frames asked for while waiting for one, at most
    BATCH = 16           # frames asked for at a time, by all unfinished requests together, at most
    WANTED = 256
    OUTBOX = 64


cdef struct Cursor:
    Cursor *next
    int origin           # the first frame of its older chain; 0 after the start of a scene, when no earlier one differs
    int position         # the last frame taken in
    int target           # the furthest frame that an unfinished request wants of it
    int64_t used
    void *chains[2]      # states: of the chain that serves, of the chain that warms up
    bint serves          # whether the output of `position` can be had: its chain began early enough
    bint live[2]         # whether the chain takes part at `position`
    bint fresh[2]        # whether `position` is the chain's first frame


cdef struct Recursion:
    int depth
    bint vanishing
    size_t state_size
    int batch            # frames asked for at a time, at most BATCH
    Cursor *cursors
    int64_t clock
    int wanted[WANTED]               # frame + 1 of requests under way, by frame modulo WANTED; only a hint
    const VSFrame *outbox[OUTBOX]
    int outbox_frame[OUTBOX]
    int outbox_next


cdef inline int chain_start(const Recursion *r, int n) noexcept nogil:
    if r.vanishing:
        return max(0, n - r.depth)
    return max(0, n - n % (2 * r.depth) - r.depth)


cdef inline bint is_busy(const Cursor *c) noexcept nogil:
    return c.target > c.position


# Cursors

cdef inline void drop_cursor(Recursion *r, Cursor *c) noexcept nogil:
    cdef Cursor **link = &r.cursors
    while link[0] != c:
        link = &link[0].next
    link[0] = c.next
    free_aligned(c.chains[0])
    free_aligned(c.chains[1])
    free(c)


cdef inline Cursor *add_cursor(Recursion *r) noexcept nogil:
    cdef Cursor *c = <Cursor *>malloc(sizeof(Cursor))
    if c == NULL:
        return NULL
    memset(c, 0, sizeof(Cursor))
    c.next = r.cursors
    r.cursors = c
    c.chains[0] = aligned_memory(r.state_size)
    if not r.vanishing:
        c.chains[1] = aligned_memory(r.state_size)
    if c.chains[0] == NULL or (c.chains[1] == NULL and not r.vanishing):
        drop_cursor(r, c)
        return NULL
    return c


cdef inline Cursor *spare_cursor(Recursion *r, int keep) noexcept nogil:
    """The longest unused of the idle cursors, if there are more than `keep`."""
    cdef Cursor *oldest = NULL
    cdef Cursor *c = r.cursors
    cdef int idle = 0
    while c != NULL:
        if not is_busy(c):
            idle += 1
            if oldest == NULL or c.used < oldest.used:
                oldest = c
        c = c.next
    return oldest if idle > keep else NULL


cdef inline int busy_cursors(const Recursion *r) noexcept nogil:
    cdef const Cursor *c = r.cursors
    cdef int busy = 0
    while c != NULL:
        busy += is_busy(c)
        c = c.next
    return busy


cdef inline int most_cursors(const Recursion *r) noexcept nogil:
    """How many may be at work."""
    cdef size_t state = max(r.state_size, <size_t>1) * (1 if r.vanishing else 2)
    return <int>min(max(<size_t>ROOM // state, <size_t>BUSY_CURSORS), <size_t>MANY_CURSORS)


cdef inline Cursor *cursor_for(Recursion *r, int n, bint starts, int last, bint *waits) noexcept nogil:
    """The cursor to advance to n: the one with the shortest way, or a new one if none is on its way.

    NULL: it `waits`, for as many are at work as may be, or memory is out. `starts`: frame n starts a scene. `last`: the
    frame that was asked for last, below 0: none.
    """
    cdef int start = n if starts else chain_start(r, n)
    cdef Cursor *best = NULL
    cdef Cursor *c = r.cursors
    while c != NULL:
        if c.origin <= start and start <= c.position + 1 and c.position < n:
            if best == NULL or c.position > best.position:
                best = c
        c = c.next
    # What has no way to go is done at once, and never at work. None waits for ever: the host lets older requests go
    # first, and those whose end it waits for may be younger.
    waits[0] = (best == NULL and start < n and last < n - 1 and last - start < PATIENCE
                and busy_cursors(r) >= most_cursors(r))
    if waits[0]:
        return NULL
    if best == NULL:
        best = spare_cursor(r, IDLE_CURSORS - 1)
        if best == NULL:
            best = add_cursor(r)
            if best == NULL:
                return NULL
        best.origin = start
        best.position = start - 1
        best.target = best.position
    r.clock += 1
    best.used = r.clock
    return best


cdef inline void advance(const Recursion *r, Cursor *c, bint starts) noexcept nogil:
    """Moves to the next frame: says which chains take it in, and which of them begin with it.

    `starts`: the frame starts a scene.
    """
    cdef int n = c.position + 1
    cdef int place = n % (2 * r.depth)  # in the block
    cdef void *state
    if not r.vanishing and place == 0:
        # The chain that was warming up serves from here on.
        state = c.chains[0]
        c.chains[0] = c.chains[1]
        c.chains[1] = state
    c.position = n
    c.fresh[0] = starts or n == c.origin
    c.fresh[1] = starts or place == r.depth
    if starts:
        c.origin = 0
    c.serves = c.origin <= chain_start(r, n)
    c.live[0] = c.serves or r.vanishing
    c.live[1] = not r.vanishing and place >= r.depth


# Requests

cdef inline void want(Recursion *r, int n) noexcept nogil:
    """Marks frame n as requested. May be called from any thread."""
    atomic_store(&r.wanted[n % WANTED], n + 1)


cdef inline bint is_wanted(const Recursion *r, int n) noexcept nogil:
    return atomic_load(&r.wanted[n % WANTED]) == n + 1


cdef inline void finish(Recursion *r, int n) noexcept nogil:
    """Frame n has been delivered, or has failed: nothing is kept for it any longer."""
    cdef Cursor *c = r.cursors
    swap_if(&r.wanted[n % WANTED], n + 1, 0)
    while c != NULL:
        if c.target == n:
            c.target = c.position
        c = c.next
    c = spare_cursor(r, IDLE_CURSORS)
    while c != NULL:
        drop_cursor(r, c)
        c = spare_cursor(r, IDLE_CURSORS)


cdef inline int batch_size(const Recursion *r) noexcept nogil:
    """How many frames a request may ask for: fewer the more requests are on their way, so that few are held in all."""
    return max(1, r.batch // max(1, busy_cursors(r)))


# Outputs computed on the way to another

cdef inline void deposit(Recursion *r, int n, const VSFrame *frame, const VSAPI *api) noexcept nogil:
    cdef int i = r.outbox_next
    r.outbox_next = (i + 1) % OUTBOX
    api.freeFrame(r.outbox[i])
    r.outbox[i] = frame
    r.outbox_frame[i] = n
    swap_if(&r.wanted[n % WANTED], n + 1, 0)


cdef inline const VSFrame *collect(Recursion *r, int n) noexcept nogil:
    cdef const VSFrame *frame
    cdef int i
    for i in range(OUTBOX):
        if r.outbox[i] != NULL and r.outbox_frame[i] == n:
            frame = r.outbox[i]
            r.outbox[i] = NULL
            return frame
    return NULL


cdef inline void free_recursion(Recursion *r, const VSAPI *api) noexcept nogil:
    cdef int i
    while r.cursors != NULL:
        drop_cursor(r, r.cursors)
    for i in range(OUTBOX):
        api.freeFrame(r.outbox[i])
