/* A plugin that is libvdiff with memory that runs out: it stands between the host and the library, and fails calls.

   What the library allocates, and what of nodes and frames it asks of the host, are numbered in the order of the calls;
   `plan` says which of them fail. Whatever it holds is counted, so that a leak shows: blocks of memory, references to
   frames and to nodes, instances.

   Nothing of it concerns other code in the process: the library is given a table of host functions of its own, and its
   own slots of malloc and free (in its global offset table) lead here. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "VapourSynth4.h"

/* Which calls fail. */

typedef struct {
    int64_t first, last; /* those from first to last, counted from 1 */
    double rate;         /* and this part of the others, at random */
    uint64_t seed;
} Plan;

typedef struct {
    atomic_llong calls, failed; /* since the plan */
    atomic_llong blocks, bytes, frames, nodes, instances; /* held by the library */
} Counts;

static Plan plan_now;
static Counts counts;

static void add(atomic_llong *count, long long n) {
    atomic_fetch_add(count, n);
}

/* The n-th number of a sequence, 0...1 (SplitMix64), whichever thread asks. */
static double chance(uint64_t seed, uint64_t n) {
    uint64_t z = seed + n * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static int fails(void) {
    long long n = atomic_fetch_add(&counts.calls, 1) + 1;
    int yes = (plan_now.first <= n && n <= plan_now.last)
        || (plan_now.rate > 0 && chance(plan_now.seed, (uint64_t)n) < plan_now.rate);
    add(&counts.failed, yes);
    return yes;
}

/* Not while the library works. */
void plan(int64_t first, int64_t last, double rate, uint64_t seed) {
    plan_now = (Plan){first, last, rate, seed};
    counts.calls = 0;
    counts.failed = 0;
}

const Counts *count(void) {
    return &counts;
}

/* Memory. */

static void *taken(void *block) {
    if (block) {
        add(&counts.blocks, 1);
        add(&counts.bytes, (long long)malloc_usable_size(block));
    }
    return block;
}

static void *fail_malloc(size_t size) {
    return fails() ? NULL : taken(malloc(size));
}

static void *fail_calloc(size_t count, size_t size) {
    return fails() ? NULL : taken(calloc(count, size));
}

static int fail_posix_memalign(void **memory, size_t alignment, size_t size) {
    int error;
    if (fails())
        return 12; /* ENOMEM; *memory is left alone */
    error = posix_memalign(memory, alignment, size);
    if (error == 0)
        taken(*memory);
    return error;
}

static void give(void *block) {
    if (block) {
        add(&counts.blocks, -1);
        add(&counts.bytes, -(long long)malloc_usable_size(block));
    }
    free(block);
}

static const struct {
    const char *name;
    void *replacement;
} slots[] = {
    {"malloc", (void *)fail_malloc},
    {"calloc", (void *)fail_calloc},
    {"posix_memalign", (void *)fail_posix_memalign},
    {"free", (void *)give},
};

enum { SLOTS = sizeof(slots) / sizeof(slots[0]) };

/* Some C libraries leave the addresses of a library's tables relative to where it is loaded. */
static void *table_at(const struct link_map *map, ElfW(Addr) address) {
    return (void *)(address < map->l_addr ? map->l_addr + address : address);
}

/* The number of slots that were found. */
static int replace_in(
        const struct link_map *map, const ElfW(Rela) *relocation, size_t size, const ElfW(Sym) *symbols,
        const char *names) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    int found = 0;
    for (const ElfW(Rela) *end = relocation + size / sizeof(*relocation); relocation < end; relocation++) {
        const char *name = names + symbols[relocation->r_info >> 32].st_name;
        uintptr_t slot = map->l_addr + relocation->r_offset;
        for (int i = 0; i < SLOTS; i++) {
            if (strcmp(name, slots[i].name) != 0)
                continue;
            /* Slots that are filled when the library is loaded are read-only from then on. */
            if (mprotect((void *)(slot & ~(page - 1)), page, PROT_READ | PROT_WRITE) != 0)
                return -1;
            *(void **)slot = slots[i].replacement;
            found++;
        }
    }
    return found;
}

/* The host's functions. */

static const VSAPI *host;
static VSAPI table;

typedef struct {
    VSFilterGetFrame get_frame;
    VSFilterFree free;
    void *data;
} Instance;

typedef struct {
    VSPublicFunction create;
    void *user;
} Function;

static const VSFrame *VS_CC get_frame(
        int n, int reason, void *data, void **frame_data, VSFrameContext *context, VSCore *core, const VSAPI *api) {
    const Instance *i = data;
    const VSFrame *frame = i->get_frame(n, reason, i->data, frame_data, context, core, &table);
    (void)api;
    if (frame)
        add(&counts.frames, -1); /* it is the host's */
    return frame;
}

static void VS_CC free_instance(void *data, VSCore *core, const VSAPI *api) {
    Instance *i = data;
    (void)api;
    i->free(i->data, core, &table);
    free(i);
    add(&counts.instances, -1);
}

static Instance *instance(VSFilterGetFrame getter, VSFilterFree freer, void *data) {
    Instance *i = malloc(sizeof(Instance));
    if (!i)
        abort();
    *i = (Instance){getter, freer, data};
    add(&counts.instances, 1);
    return i;
}

static void VS_CC create_filter(
        VSMap *out, const char *name, const VSVideoInfo *vi, VSFilterGetFrame getter, VSFilterFree freer, int mode,
        const VSFilterDependency *needs, int n, void *data, VSCore *core) {
    host->createVideoFilter(
        out, name, vi, get_frame, free_instance, mode, needs, n, instance(getter, freer, data), core);
}

static VSNode *VS_CC create_node(
        const char *name, const VSVideoInfo *vi, VSFilterGetFrame getter, VSFilterFree freer, int mode,
        const VSFilterDependency *needs, int n, void *data, VSCore *core) {
    if (fails())
        return NULL;
    add(&counts.nodes, 1);
    return host->createVideoFilter2(
        name, vi, get_frame, free_instance, mode, needs, n, instance(getter, freer, data), core);
}

static VSNode *taken_node(VSNode *node) {
    if (node)
        add(&counts.nodes, 1);
    return node;
}

static VSNode *VS_CC map_get_node(const VSMap *map, const char *key, int index, int *error) {
    return taken_node(host->mapGetNode(map, key, index, error));
}

static VSNode *VS_CC add_node_ref(VSNode *node) {
    return taken_node(host->addNodeRef(node));
}

static void VS_CC free_node(VSNode *node) {
    if (node)
        add(&counts.nodes, -1);
    host->freeNode(node);
}

static VSFrame *taken_frame(VSFrame *frame) {
    if (frame)
        add(&counts.frames, 1);
    return frame;
}

static VSFrame *VS_CC new_frame(
        const VSVideoFormat *format, int width, int height, const VSFrame *props, VSCore *core) {
    return fails() ? NULL : taken_frame(host->newVideoFrame(format, width, height, props, core));
}

static VSFrame *VS_CC new_frame_2(
        const VSVideoFormat *format, int width, int height, const VSFrame **from, const int *planes,
        const VSFrame *props, VSCore *core) {
    return fails() ? NULL : taken_frame(host->newVideoFrame2(format, width, height, from, planes, props, core));
}

static VSFrame *VS_CC copy_frame(const VSFrame *frame, VSCore *core) {
    return fails() ? NULL : taken_frame(host->copyFrame(frame, core));
}

static const VSFrame *VS_CC get_frame_filter(int n, VSNode *node, VSFrameContext *context) {
    const VSFrame *frame = host->getFrameFilter(n, node, context);
    if (frame)
        add(&counts.frames, 1);
    return frame;
}

static void VS_CC free_frame(const VSFrame *frame) {
    if (frame)
        add(&counts.frames, -1);
    host->freeFrame(frame);
}

static void VS_CC create(const VSMap *in, VSMap *out, void *user, VSCore *core, const VSAPI *api) {
    const Function *f = user;
    (void)api;
    f->create(in, out, f->user, core, &table);
}

/* The plugin. */

static const VSPLUGINAPI *plugin_host;
static void (*init)(VSPlugin *plugin, const VSPLUGINAPI *api);

/* Loads the library, before the host loads this plugin. The number of slots of memory that were found: all are needed;
   -1: it cannot be loaded. `api`: the host's functions, as getVapourSynthAPI returns them. */
int load(const char *library, const VSAPI *api) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    struct link_map *map;
    const ElfW(Sym) *symbols = NULL;
    const ElfW(Rela) *relocations[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    const char *names = NULL;
    int found = 0;
    if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
        return -1;
    init = (void (*)(VSPlugin *, const VSPLUGINAPI *))dlsym(handle, "VapourSynthPluginInit2");
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
            case DT_SYMTAB: symbols = table_at(map, d->d_un.d_ptr); break;
            case DT_STRTAB: names = table_at(map, d->d_un.d_ptr); break;
            case DT_RELA: relocations[0] = table_at(map, d->d_un.d_ptr); break;
            case DT_RELASZ: sizes[0] = d->d_un.d_val; break;
            case DT_JMPREL: relocations[1] = table_at(map, d->d_un.d_ptr); break;
            case DT_PLTRELSZ: sizes[1] = d->d_un.d_val; break;
            default: break;
        }
    }
    for (int i = 0; i < 2; i++)
        found += replace_in(map, relocations[i], sizes[i], symbols, names);
    host = api;
    table = *api;
    table.createVideoFilter = create_filter;
    table.createVideoFilter2 = create_node;
    table.mapGetNode = map_get_node;
    table.addNodeRef = add_node_ref;
    table.freeNode = free_node;
    table.newVideoFrame = new_frame;
    table.newVideoFrame2 = new_frame_2;
    table.copyFrame = copy_frame;
    table.getFrameFilter = get_frame_filter;
    table.freeFrame = free_frame;
    return found;
}

static int VS_CC register_function(
        const char *name, const char *args, const char *result, VSPublicFunction make, void *user, VSPlugin *plugin) {
    Function *f = malloc(sizeof(Function)); /* for as long as the process lives */
    if (!f)
        abort();
    *f = (Function){make, user};
    return plugin_host->registerFunction(name, args, result, create, f, plugin);
}

VS_EXTERNAL_API(void) VapourSynthPluginInit2(VSPlugin *plugin, const VSPLUGINAPI *api) {
    VSPLUGINAPI own = *api;
    own.registerFunction = register_function;
    plugin_host = api;
    init(plugin, &own);
}

/* A core that goes in the middle of a clip. */

typedef struct {
    const char *key;
    const char *data; /* for 'd' */
    double number;
    int size;  /* of data */
    char type; /* 'i', 'f', 'd', or for nodes 'c', the clip, and 'm', a mask */
} Argument;

typedef struct {
    const char *shim; /* the file of this plugin */
    const char *filter;
    const Argument *args;
    int count;
    int format, width, height, frames, asked;
    int threads;
    int keep; /* whether the filter outlives the core */
} Job;

typedef struct {
    sem_t arrived;
    atomic_int errors;
} Requests;

static void VS_CC arrive(void *user, const VSFrame *frame, int n, VSNode *node, const char *error) {
    Requests *r = user;
    (void)n;
    (void)node;
    if (error)
        atomic_fetch_add(&r->errors, 1);
    host->freeFrame(frame);
    sem_post(&r->arrived);
}

/* What a function of a plugin makes of a clip. NULL: it is refused. Frees the map. */
static VSNode *made(const char *plugin, const char *function, VSMap *args, VSCore *core) {
    VSMap *out = host->invoke(host->getPluginByID(plugin, core), function, args);
    VSNode *node = host->mapGetNode(out, "clip", 0, &(int){0});
    host->freeMap(args);
    host->freeMap(out);
    return node;
}

static VSNode *blank(const Job *job, int format, int border, double colour, VSCore *core) {
    VSMap *args = host->createMap();
    host->mapSetInt(args, "format", format, maReplace);
    host->mapSetInt(args, "width", job->width - 2 * border, maReplace);
    host->mapSetInt(args, "height", job->height - 2 * border, maReplace);
    host->mapSetInt(args, "length", job->frames, maReplace);
    if (colour > 0)
        host->mapSetFloat(args, "color", colour, maReplace);
    return made("com.vapoursynth.std", "BlankClip", args, core);
}

static VSNode *framed(VSNode *clip, int border, VSCore *core) {
    static const char *const sides[] = {"left", "right", "top", "bottom"};
    VSMap *args = host->createMap();
    host->mapConsumeNode(args, "clip", clip, maReplace);
    for (int i = 0; i < 4; i++)
        host->mapSetInt(args, sides[i], border, maReplace);
    return made("com.vapoursynth.std", "AddBorders", args, core);
}

static void load_into(const char *file, VSCore *core) {
    VSMap *args = host->createMap();
    host->mapSetData(args, "path", file, -1, dtUtf8, maReplace);
    host->freeMap(host->invoke(host->getPluginByID("com.vapoursynth.std", core), "LoadPlugin", args));
    host->freeMap(args);
}

/* Asks a filter for frames, from the last backwards, and destroys the core as soon as they have come: the host wants no
   node freed before. The number of frames; -1: the filter was refused, or one failed. */
int destroy(const Job *job) {
    VSCore *core = host->createCore(ccfDisableAutoLoading);
    VSMap *args = host->createMap();
    Requests requests = {.errors = 0};
    VSNode *clip, *mask, *filter;
    int length, n;
    host->setThreadCount(job->threads, core);
    load_into(job->shim, core);
    clip = blank(job, job->format, 0, 0, core);
    mask = framed(blank(job, pfGray8, 8, 255, core), 8, core);
    for (int i = 0; i < job->count; i++) {
        const Argument *a = &job->args[i];
        switch (a->type) {
            case 'i': host->mapSetInt(args, a->key, (int64_t)a->number, maAppend); break;
            case 'f': host->mapSetFloat(args, a->key, a->number, maAppend); break;
            case 'd': host->mapSetData(args, a->key, a->data, a->size, dtUnknown, maAppend); break;
            case 'c': host->mapSetNode(args, a->key, clip, maAppend); break;
            default: host->mapSetNode(args, a->key, mask, maAppend); break;
        }
    }
    host->freeNode(clip);
    host->freeNode(mask);
    filter = made("io.github.vdiff", job->filter, args, core);
    length = filter ? host->getVideoInfo(filter)->numFrames : 0;
    sem_init(&requests.arrived, 0, 0);
    for (n = 0; n < job->asked && n < length; n++)
        host->getFrameAsync(length - 1 - n, filter, arrive, &requests);
    for (int i = 0; i < n; i++)
        sem_wait(&requests.arrived);
    if (!job->keep)
        host->freeNode(filter);
    host->freeCore(core);
    if (job->keep)
        host->freeNode(filter);
    sem_destroy(&requests.arrived);
    return filter && requests.errors == 0 ? n : -1;
}
