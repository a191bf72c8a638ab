/* A host without Python: runs filters of a plugin on made-up clips, and prints a checksum of what they return.

   usage: drive [OPTION...] PLUGIN < CASES

   A case is a line `FORMAT WIDTH HEIGHT FRAMES FILTER [KEY=VALUE...]`: the format as VapourSynth's number, several values
   of an array apart by commas, clips as @other (another clip of the format), @mask (a GRAY8 mask, one frame) or @masks (as
   many frames as the clip), a kernel in C as @kernel. The answer is a line `CHECKSUM CASE` or `error: MESSAGE: CASE`.
   To see that a checker sees: kernels with a fault, @overflow, @undefined, @leak, @race and @fail, and @lost, a clip that keeps
   a frame for ever.

     -t N   threads of the core (default 2)
     -a N   requests in flight (default 6)
     -o O   order of the requests: forward, backward or random (default forward)
     -j N   run each case in N threads at once, each with an instance of its own (default 1)
     -k     let go of each filter while its frames are in flight, and take a new one for the answer
     -m     answer with the growth of memory in bytes per 100 frames, too: `CHECKSUM GROWTH CASE`
     -l N   the same, and fail where it is N or more; it is taken of clips of 128 frames and more
     -u     leave the plugin loaded at the end, for tools that name the functions of a leak

   The exit status is 0 if no case failed for another reason than its arguments, no frame is left (else those that are
   are listed, with the filter that made each) and VapourSynth had nothing to complain about. The pictures come from
   integers alone: the checksums are the same on every machine. */

#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VS_USE_API_41 /* the functions that clear caches */
#include "VapourSynth4.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

/* scripts/instructions includes callgrind's header, which has these. */
#ifndef CALLGRIND_ZERO_STATS
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) ((void)(name))
#endif

/* Keeping its list of frames, VapourSynth reads names in one thread that another one wrote. */
#ifdef __SANITIZE_THREAD__
enum { LISTS_FRAMES = 0 };
#else
enum { LISTS_FRAMES = ccfEnableFrameRefDebug };
#endif

enum { LINE = 4096, WORDS = 64, WINDOWS = 8, SAMPLES = 8 * WINDOWS };

static const VSAPI *api;
static VSCore *core;
static atomic_int complaints;
static atomic_bool lists; /* whether VapourSynth's next list of the frames that there are is printed */

static void complain(const char *form, ...) {
    va_list args;
    va_start(args, form);
    vfprintf(stderr, form, args);
    va_end(args);
    atomic_fetch_add(&complaints, 1);
}

static void VS_CC on_message(int type, const char *message, void *user) {
    (void)user;
    if (type >= mtWarning)
        complain("drive: VapourSynth: %s\n", message);
    else if (type == mtInformation && atomic_exchange(&lists, false))
        fprintf(stderr, "drive: VapourSynth: %s", message);
}

/* The clips. */

typedef enum { PICTURE, OTHER, MASK, LOST } Kind;

typedef struct {
    VSVideoInfo vi;
    Kind kind;
} Source;

static uint32_t mix(uint32_t a, uint32_t b) {
    uint32_t h = a * 0x9E3779B1u ^ (b + 0x7F4A7C15u) * 0x85EBCA6Bu;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    return h ^ h >> 15;
}

static int wave(int at, int period) { /* a triangle from 0 to 65535 and back */
    int t = at % (2 * period);
    return (t < period ? t : 2 * period - t) * 65535 / period;
}

/* A scene of 29 frames: slow waves that move, an edge, noise; 16 bits. One frame is shown twice, the next one is not. */
static int picture(int x, int y, int n, int plane, uint32_t seed) {
    int scene = n / 29;
    if (n % 29 == 11)
        n--;
    int smooth = (wave(x + 2 * n + 5 * plane + 11 * scene, 37) + wave(y + 7 * scene + (int)seed % 97, 23)) / 4;
    int edge = (x + y / 2 + n) % 61 < 30 ? 20000 : 4000;
    int noise = (int)(mix(mix((uint32_t)x, (uint32_t)y), mix((uint32_t)(n * 4 + plane), seed)) >> 19);
    return smooth + edge + noise; /* at most 32767 + 20000 + 8191 */
}

static int holes(int x, int y, int n) {
    return (x / 9 + y / 5 + n) % 3 == 1 && (x + 2 * y) % 13 != 0 && (x > 3 || y > 3) ? 65535 : 0;
}

static void fill_row(uint8_t *row, int width, int y, int n, int plane, const Source *s) {
    const VSVideoFormat *f = &s->vi.format;
    bool chroma = f->colorFamily == cfYUV && plane > 0;
    int shift = f->sampleType == stInteger ? 16 - f->bitsPerSample : 0;
    for (int x = 0; x < width; x++) {
        int v = s->kind == MASK ? holes(x, y, n) : picture(x, y, n, plane, s->kind == OTHER ? 77 : 1);
        float value = (float)v / 65535.0f - (chroma ? 0.5f : 0.0f);
        _Float16 half = (_Float16)value;
        uint16_t word = (uint16_t)(v >> shift);
        if (f->sampleType == stFloat && f->bytesPerSample == 4)
            memcpy(row + 4 * x, &value, 4);
        else if (f->sampleType == stFloat)
            memcpy(row + 2 * x, &half, 2);
        else if (f->bytesPerSample == 2)
            memcpy(row + 2 * x, &word, 2);
        else
            row[x] = (uint8_t)word;
    }
}

/* What of a frame's memory is not pixels: nobody is to read it. */
static void guard_row(uint8_t *row, ptrdiff_t stride, int bytes) {
    ASAN_POISON_MEMORY_REGION(row + bytes, (size_t)(stride - bytes));
}

static const VSFrame *VS_CC get_source(
        int n, int reason, void *instance, void **frame_data, VSFrameContext *context, VSCore *c, const VSAPI *vsapi) {
    const Source *s = instance;
    (void)frame_data, (void)context;
    if (reason != arInitial)
        return NULL;
    VSFrame *frame = vsapi->newVideoFrame(&s->vi.format, s->vi.width, s->vi.height, NULL, c);
    for (int p = 0; p < s->vi.format.numPlanes; p++) {
        uint8_t *row = vsapi->getWritePtr(frame, p);
        int width = vsapi->getFrameWidth(frame, p);
        ptrdiff_t stride = vsapi->getStride(frame, p);
        for (int y = 0; y < vsapi->getFrameHeight(frame, p); y++, row += stride) {
            fill_row(row, width, y, n, p, s);
            guard_row(row, stride, width * s->vi.format.bytesPerSample);
        }
    }
    if (n % 29 == 0 && n > 0 && s->kind != MASK)
        vsapi->mapSetInt(vsapi->getFramePropertiesRW(frame), "_SceneChangePrev", 1, maReplace);
    if (n == 3 && s->kind == LOST)
        vsapi->addFrameRef(frame);
    return frame;
}

static void VS_CC free_source(void *instance, VSCore *c, const VSAPI *vsapi) {
    (void)c, (void)vsapi;
    free(instance);
}

static VSNode *new_source(const VSVideoInfo *vi, Kind kind) {
    Source *s = malloc(sizeof *s);
    s->vi = *vi;
    s->kind = kind;
    return api->createVideoFilter2("Source", vi, get_source, free_source, fmParallel, NULL, 0, s, core);
}

static VSNode *new_mask(const VSVideoInfo *vi, int frames) {
    VSVideoInfo mask = *vi;
    api->queryVideoFormat(&mask.format, cfGray, stInteger, 8, 0, 0, core);
    mask.numFrames = frames;
    return new_source(&mask, MASK);
}

/* A kernel, as `src_cython/common/native.pxd` lays down what is handed over: the mean of all sources times a number. */

typedef struct {
    void *dst;
    int64_t dst_stride;
    const void *const *src;
    const int64_t *src_stride;
    const double *src_peak;
    int64_t height, width;
    const double *params;
    double dst_peak;
} Call;

typedef struct {
    char magic[16];
    uint64_t self;
    uint32_t size;
    int32_t users, sources, params, src_type, dst_type;
    int32_t (*run)(const Call *call, void **exception);
    void (*describe)(void *exception, char *text, int32_t size);
} Native;

#define RUN(name, sample) \
    static int32_t name(const Call *call, void **exception) { \
        (void)exception; \
        for (int64_t y = 0; y < call->height; y++) { \
            const sample *a = (const sample *)((const char *)call->src[0] + y * call->src_stride[0]); \
            const sample *b = (const sample *)((const char *)call->src[1] + y * call->src_stride[1]); \
            sample *to = (sample *)((char *)call->dst + y * call->dst_stride); \
            for (int64_t x = 0; x < call->width; x++) \
                to[x] = (sample)(((float)a[x] + (float)b[x]) * 0.5f * (float)call->params[0]); \
        } \
        return 0; \
    }

RUN(run_bytes, uint8_t)
RUN(run_words, uint16_t)
RUN(run_floats, float)

#define FAULT(name, fault) \
    static int32_t name(const Call *call, void **exception) { \
        (void)call, (void)exception; \
        fault; \
        return 0; \
    }

static int32_t refuse(const Call *call, void **exception) {
    (void)call, (void)exception;
    return 1;
}

static void describe(void *exception, char *text, int32_t size) {
    (void)exception;
    snprintf(text, (size_t)size, "planted");
}

static volatile int frames;
static void *volatile last;

static void meet(void) { /* the first two calls, in two threads */
    static atomic_int inside;
    atomic_fetch_add_explicit(&inside, 1, memory_order_relaxed);
    for (int i = 0; i < 100000 && atomic_load_explicit(&inside, memory_order_relaxed) < 2; i++)
        usleep(100);
}

FAULT(overflow, ((volatile char *)call->dst)[call->height * call->dst_stride] = 0)
FAULT(undefined, frames = INT32_MAX + (int)call->height)
FAULT(leak, last = malloc(16))
FAULT(race, (meet(), frames = frames + 1))

#define NATIVE(type, run) {"vdiff kernel 1", 0, sizeof(Native), 0, 2, 1, type, type, run, describe}

static const char *const kernels[] = {"@kernel", "@overflow", "@undefined", "@leak", "@race", "@fail"};
static Native natives[][3] = {
    {NATIVE(0, run_bytes), NATIVE(1, run_words), NATIVE(2, run_floats)},
    {NATIVE(0, overflow), NATIVE(1, overflow), NATIVE(2, overflow)},
    {NATIVE(0, undefined), NATIVE(1, undefined), NATIVE(2, undefined)},
    {NATIVE(0, leak), NATIVE(1, leak), NATIVE(2, leak)},
    {NATIVE(0, race), NATIVE(1, race), NATIVE(2, race)},
    {NATIVE(0, refuse), NATIVE(1, refuse), NATIVE(2, refuse)},
};

static void sign_kernels(void) { /* before there are threads, which read it */
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++)
        for (int type = 0; type < 3; type++)
            natives[i][type].self = (uint64_t)(uintptr_t)&natives[i][type];
}

static bool set_kernel(VSMap *args, const char *key, const char *name, const VSVideoFormat *f) {
    size_t i = 0, count = sizeof kernels / sizeof *kernels;
    while (i < count && strcmp(kernels[i], name))
        i++;
    if (i == count)
        return false;
    const Native *native = &natives[i][f->sampleType == stFloat ? 2 : f->bytesPerSample - 1];
    uint64_t ticket[5] = {0, 0, native->self, (uint64_t)getpid(), 0xCBF29CE484222325u};
    memcpy(ticket, native->magic, 16);
    for (int i = 0; i < 32; i++)
        ticket[4] = (ticket[4] ^ ((const uint8_t *)ticket)[i]) * 0x100000001B3u;
    api->mapSetData(args, key, (const char *)ticket, sizeof ticket, dtBinary, maReplace);
    return true;
}

/* A case. */

typedef struct {
    char line[LINE]; /* what the words lie in */
    VSVideoInfo vi;
    char *filter;
    char *words[WORDS]; /* key=value */
    int count;
} Case;

static bool parse(Case *c, const char *line) {
    char *rest = NULL, *word;
    unsigned format;
    int used = 0;
    snprintf(c->line, LINE, "%s", line);
    memset(&c->vi, 0, sizeof c->vi);
    c->vi.fpsNum = 25;
    c->vi.fpsDen = 1;
    c->count = 0;
    if (sscanf(c->line, "%u %d %d %d %n", &format, &c->vi.width, &c->vi.height, &c->vi.numFrames, &used) < 4 ||
        !api->getVideoFormatByID(&c->vi.format, format, core))
        return false;
    c->filter = strtok_r(c->line + used, " ", &rest);
    while ((word = strtok_r(NULL, " ", &rest)) && c->count < WORDS)
        c->words[c->count++] = word;
    return c->filter != NULL;
}

static void set_clip(VSMap *args, const char *key, const char *name, const Case *c) {
    VSNode *node = !strcmp(name, "@mask") ? new_mask(&c->vi, 1)
        : !strcmp(name, "@masks") ? new_mask(&c->vi, c->vi.numFrames)
        : new_source(&c->vi, !strcmp(name, "@other") ? OTHER : !strcmp(name, "@lost") ? LOST : PICTURE);
    api->mapConsumeNode(args, key, node, maAppend);
}

/* The first letter of an argument's type, 0 if there is no such argument. */
static char type_of(const char *signature, const char *key) {
    size_t length = strlen(key);
    for (const char *at = signature; at; at = strchr(at, ';'), at = at ? at + 1 : NULL)
        if (!strncmp(at, key, length) && at[length] == ':')
            return at[length + 1];
    return 0;
}

static void set_argument(VSMap *args, char *word, const char *signature, const Case *c) {
    char *value = strchr(word, '='), *rest = NULL;
    if (!value)
        return;
    *value++ = 0;
    char type = type_of(signature, word);
    for (char *one = strtok_r(value, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
        if (one[0] == '@' && !set_kernel(args, word, one, &c->vi.format))
            set_clip(args, word, one, c);
        else if (one[0] == '@')
            continue;
        else if (type == 'i')
            api->mapSetInt(args, word, strtoll(one, NULL, 10), maAppend);
        else if (type == 'f')
            api->mapSetFloat(args, word, strtod(one, NULL), maAppend);
        else
            api->mapSetData(args, word, one, -1, dtUtf8, maAppend);
}

static VSNode *create(const Case *c, VSPlugin *plugin, char *error, int size) {
    VSPluginFunction *function = api->getPluginFunctionByName(c->filter, plugin);
    VSMap *args = api->createMap();
    VSNode *node = NULL;
    if (!function) {
        snprintf(error, (size_t)size, "no such filter");
        api->freeMap(args);
        return NULL;
    }
    const char *signature = api->getPluginFunctionArguments(function);
    api->mapConsumeNode(
        args, strncmp(signature, "clips:", 6) ? "clip" : "clips", new_source(&c->vi, PICTURE), maReplace);
    for (int i = 0; i < c->count; i++) {
        char word[LINE];
        snprintf(word, LINE, "%s", c->words[i]);
        set_argument(args, word, signature, c);
    }
    VSMap *out = api->invoke(plugin, c->filter, args);
    if (api->mapGetError(out))
        snprintf(error, (size_t)size, "%s", api->mapGetError(out));
    else
        node = api->mapGetNode(out, "clip", 0, NULL);
    api->freeMap(out);
    api->freeMap(args);
    return node;
}

/* The frames. */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t done;
    int in_flight;
    uint64_t *sums; /* one a frame */
    char error[256];
} Run;

static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t count) {
    const uint8_t *b = bytes;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t word;
        memcpy(&word, b + i, 8);
        sum = (sum ^ word) * 0x100000001B3u;
        sum ^= sum >> 29;
    }
    for (; i < count; i++)
        sum = (sum ^ b[i]) * 0x100000001B3u;
    return sum;
}

static uint64_t add_properties(uint64_t sum, const VSMap *props) {
    for (int k = 0; k < api->mapNumKeys(props); k++) {
        const char *key = api->mapGetKey(props, k);
        sum = add_bytes(sum, key, strlen(key));
        for (int i = 0; i < api->mapNumElements(props, key); i++)
            if (api->mapGetType(props, key) == ptFloat) {
                double value = api->mapGetFloat(props, key, i, NULL);
                sum = add_bytes(sum, &value, sizeof value);
            } else if (api->mapGetType(props, key) == ptInt) {
                int64_t value = api->mapGetInt(props, key, i, NULL);
                sum = add_bytes(sum, &value, sizeof value);
            }
    }
    return sum;
}

static uint64_t checksum(const VSFrame *frame) {
    const VSVideoFormat *f = api->getVideoFrameFormat(frame);
    uint64_t sum = 0xCBF29CE484222325u;
    for (int p = 0; p < f->numPlanes; p++) {
        const uint8_t *row = api->getReadPtr(frame, p);
        for (int y = 0; y < api->getFrameHeight(frame, p); y++, row += api->getStride(frame, p))
            sum = add_bytes(sum, row, (size_t)api->getFrameWidth(frame, p) * (size_t)f->bytesPerSample);
    }
    return add_properties(sum, api->getFramePropertiesRO(frame));
}

static void VS_CC on_frame(void *user, const VSFrame *frame, int n, VSNode *node, const char *error) {
    Run *run = user;
    uint64_t sum = frame ? checksum(frame) : 0;
    api->freeFrame(frame);
    api->freeNode(node);
    pthread_mutex_lock(&run->lock);
    run->sums[n] = sum;
    if (!frame)
        snprintf(run->error, sizeof run->error, "frame %d: %s", n, error ? error : "no message");
    run->in_flight--;
    pthread_cond_signal(&run->done);
    pthread_mutex_unlock(&run->lock);
}

static void wait_for(Run *run, int at_most) {
    pthread_mutex_lock(&run->lock);
    while (run->in_flight > at_most)
        pthread_cond_wait(&run->done, &run->lock);
    pthread_mutex_unlock(&run->lock);
}

static void request(Run *run, int n, VSNode *node) {
    pthread_mutex_lock(&run->lock);
    run->in_flight++;
    pthread_mutex_unlock(&run->lock);
    api->getFrameAsync(n, api->addNodeRef(node), on_frame, run); /* VapourSynth counts none for a request */
}

typedef enum { FORWARD, BACKWARD, RANDOM } Order;

static int in_order(int i, int count, Order order) {
    if (order == FORWARD)
        return i;
    if (order == BACKWARD)
        return count - 1 - i;
    int step = 7919 % count ? 7919 % count : 1; /* each once: a step that has no factor in common with the count */
    for (int a = step, b = count; b; a = step, b = count) {
        while (b) {
            int rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            break;
        step++;
    }
    return (int)((int64_t)i * step % count);
}

/* Memory: that of frames in caches and outside; what malloc has given out beside caches; and what is resident, in whole
   pages. Caches are emptied for it, because VapourSynth (R81) leaves records of frames that are long gone in them,
   whatever the filters, until there are some thousands. */

typedef struct {
    double frames, given, resident;
} Memory;

static Memory memory(void) {
    VSCoreInfo info;
    api->getCoreInfo(core, &info);
    api->clearCoreCaches(core);
    long pages = 0;
    struct mallinfo2 heap = mallinfo2();
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        complain("drive: /proc/self/statm cannot be read\n");
    if (file)
        fclose(file);
    return (Memory){
        .frames = (double)info.usedFramebufferSize,
        .given = (double)heap.uordblks + (double)heap.hblkhd,
        .resident = (double)pages * (double)sysconf(_SC_PAGESIZE),
    };
}

static double slope(const double *x, const double *y, int count) {
    double mx = 0, my = 0, xy = 0, xx = 0;
    for (int i = 0; i < count; i++) {
        mx += x[i] / count;
        my += y[i] / count;
    }
    for (int i = 0; i < count; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
    }
    return xx > 0 ? xy / xx : 0;
}

static int by_size(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

/* The median of the slopes in windows. A leak grows in each of them; what is kept from some day on, as another place to
   compute at is when a machine falls behind, and malloc's own steps are in one or two. */
static double steady_slope(const double *x, const double *y) {
    double slopes[WINDOWS];
    const int size = SAMPLES / WINDOWS;
    for (int w = 0; w < WINDOWS; w++)
        slopes[w] = slope(x + w * size, y + w * size, size);
    qsort(slopes, WINDOWS, sizeof *slopes, by_size);
    return (slopes[WINDOWS / 2 - 1] + slopes[WINDOWS / 2]) / 2;
}

/* Per 100 frames, over the last half: the largest of those of frames, of what malloc has given out, and of resident
   memory. */
static double growth_of(const double *at, const Memory *taken) {
    double frames[SAMPLES], given[SAMPLES], resident[SAMPLES];
    at += SAMPLES;
    taken += SAMPLES;
    for (int i = 0; i < SAMPLES; i++) {
        frames[i] = taken[i].frames;
        given[i] = taken[i].given;
        resident[i] = taken[i].resident;
    }
    double growth[] = {steady_slope(at, frames), steady_slope(at, given), steady_slope(at, resident)};
    qsort(growth, 3, sizeof *growth, by_size);
    return 100 * growth[2];
}

static Run new_run(int count) {
    Run run = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    run.sums = malloc((size_t)count * sizeof *run.sums);
    memset(run.sums, 0xFF, (size_t)count * sizeof *run.sums); /* resident from here on */
    return run;
}

/* All frames of a node. Returns the checksum of their checksums. `growth`, if not NULL: of memory per 100 frames. */
static uint64_t play(VSNode *node, int in_flight, Order order, char *error, int size, double *growth) {
    int count = api->getVideoInfo(node)->numFrames, samples = 0;
    double at[2 * SAMPLES];
    Memory taken[2 * SAMPLES];
    Run run = new_run(count);
    for (int i = 0; i < count; i++) {
        wait_for(&run, in_flight - 1);
        request(&run, in_order(i, count, order), node);
        if (growth && (int64_t)(i + 1) * 2 * SAMPLES / count > samples) {
            wait_for(&run, 0);
            at[samples] = i;
            taken[samples++] = memory();
        }
    }
    wait_for(&run, 0);
    if (growth)
        *growth = samples == 2 * SAMPLES ? growth_of(at, taken) : 0;
    uint64_t sum = add_bytes(0xCBF29CE484222325u, run.sums, (size_t)count * sizeof *run.sums);
    snprintf(error, (size_t)size, "%s", run.error);
    free(run.sums);
    return sum;
}

/* A node is let go of while frames of it are in flight: the last of them frees it. */
static void abandon(VSNode *node, int in_flight) {
    int count = api->getVideoInfo(node)->numFrames;
    Run run = new_run(count);
    for (int i = 0; i < in_flight && i < count; i++)
        request(&run, in_order(i, count, RANDOM), node);
    api->freeNode(node);
    wait_for(&run, 0);
    free(run.sums);
}

typedef struct {
    int in_flight;
    Order order;
    bool abandons, measures;
    double limit; /* of growth */
    VSPlugin *plugin;
    const char *line;
    uint64_t sum;
    double growth;
    char error[512];
    bool failed; /* not for its arguments */
} Job;

static void *run_case(void *user) {
    Job *job = user;
    Case c;
    job->error[0] = 0;
    if (!parse(&c, job->line)) {
        snprintf(job->error, sizeof job->error, "not a case");
        job->failed = true;
        return NULL;
    }
    VSNode *node = create(&c, job->plugin, job->error, sizeof job->error);
    if (!node)
        return NULL;
    if (job->abandons) {
        abandon(node, 4 * job->in_flight);
        node = create(&c, job->plugin, job->error, sizeof job->error);
        if (!node)
            return NULL;
    }
    CALLGRIND_ZERO_STATS; /* the making of the filter */
    job->sum = play(
        node, job->in_flight, job->order, job->error, sizeof job->error, job->measures ? &job->growth : NULL);
    CALLGRIND_DUMP_STATS_AT(job->line);
    job->failed = job->error[0] != 0;
    api->freeNode(node);
    return NULL;
}

static int64_t frame_bytes(void) { /* that are still taken, once the core's threads have let go */
    VSCoreInfo info;
    for (int i = 0; i < 500; i++) {
        api->clearCoreCaches(core);
        api->getCoreInfo(core, &info);
        if (info.usedFramebufferSize == 0)
            break;
        usleep(10000);
    }
    return info.usedFramebufferSize;
}

/* VapourSynth lists all frames that there are with each that is delivered. */
static void list_frames(void) {
    VSVideoInfo vi = {.width = 1, .height = 1, .numFrames = 1, .fpsNum = 25, .fpsDen = 1};
    if (!LISTS_FRAMES)
        return;
    api->queryVideoFormat(&vi.format, cfGray, stInteger, 8, 0, 0, core);
    VSNode *node = new_source(&vi, PICTURE);
    atomic_store(&lists, true);
    api->freeFrame(api->getFrame(0, node, NULL, 0));
    for (int i = 0; i < 500 && atomic_load(&lists); i++) /* it comes after the frame */
        usleep(10000);
    api->freeNode(node);
}

static void run_line(const Job *form, int jobs) {
    Job *all = calloc((size_t)jobs, sizeof *all);
    pthread_t *threads = calloc((size_t)jobs, sizeof *threads);
    const char *text = form->line;
    for (int i = 0; i < jobs; i++) {
        all[i] = *form;
        if (pthread_create(&threads[i], NULL, run_case, &all[i]))
            complain("drive: no thread\n");
    }
    for (int i = 0; i < jobs; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < jobs; i++) {
        if (all[i].failed || all[i].sum != all[0].sum)
            complain("drive: %s: %s\n", all[i].error[0] ? all[i].error : "other bytes in another thread", text);
        if (all[i].growth >= form->limit)
            complain("drive: memory grows by %.0f bytes per 100 frames: %s\n", all[i].growth, text);
    }
    if (all[0].error[0])
        printf("error: %s: %s\n", all[0].error, text);
    else if (form->measures)
        printf("%016llx %.0f %s\n", (unsigned long long)all[0].sum, all[0].growth, text);
    else
        printf("%016llx %s\n", (unsigned long long)all[0].sum, text);
    fflush(stdout);
    int64_t left = frame_bytes();
    if (left) {
        complain("drive: %lld bytes of frames are left: %s\n", (long long)left, text);
        list_frames();
    }
    free(all);
    free(threads);
}

static VSPlugin *load(const char *file) {
    VSMap *args = api->createMap();
    api->mapSetData(args, "path", file, -1, dtUtf8, maReplace);
    VSMap *out = api->invoke(api->getPluginByID("com.vapoursynth.std", core), "LoadPlugin", args);
    VSPlugin *plugin = api->getPluginByNamespace("vdiff", core);
    if (api->mapGetError(out))
        fprintf(stderr, "drive: %s\n", api->mapGetError(out));
    api->freeMap(args);
    api->freeMap(out);
    return plugin;
}

int main(int argc, char **argv) {
    static const char usage[] =
        "usage: drive [-t THREADS] [-a IN_FLIGHT] [-o forward|backward|random] [-j JOBS] [-k] [-m] [-l N] [-u] PLUGIN "
        "< CASES\n";
    Job form = {.in_flight = 6, .limit = 1e300};
    int threads = 2, jobs = 1, option, flags = ccfDisableAutoLoading | LISTS_FRAMES;
    while ((option = getopt(argc, argv, "t:a:o:j:kml:u")) != -1) {
        switch (option) {
        case 't': threads = atoi(optarg); break;
        case 'a': form.in_flight = atoi(optarg); break;
        case 'o': form.order = optarg[0] == 'b' ? BACKWARD : optarg[0] == 'r' ? RANDOM : FORWARD; break;
        case 'j': jobs = atoi(optarg); break;
        case 'k': form.abandons = true; break;
        case 'm': form.measures = true; break;
        case 'l': form.measures = true; form.limit = atof(optarg); break;
        case 'u': flags |= ccfDisableLibraryUnloading; break;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (optind != argc - 1 || threads < 1 || form.in_flight < 1 || jobs < 1) {
        fputs(usage, stderr);
        return 2;
    }
    api = getVapourSynthAPI(VAPOURSYNTH_API_VERSION);
    core = api ? api->createCore(flags) : NULL;
    if (!core) {
        fputs("drive: no core: another version of VapourSynth?\n", stderr);
        return 2;
    }
    sign_kernels();
    api->addLogHandler(on_message, NULL, NULL, core);
    api->setThreadCount(threads, core);
    form.plugin = load(argv[optind]);
    if (!form.plugin) {
        api->freeCore(core);
        return 2;
    }
    char line[LINE];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        form.line = line;
        if (line[0] != '#' && line[0] != 0)
            run_line(&form, jobs);
    }
    api->freeCore(core);
    return atomic_load(&complaints) != 0;
}
