/* A host without Python: loads the plugin, lets a white picture fade, and prints a pixel of each frame. How it is compiled
   and run: README, "In a host without Python". An answer of VapourSynth's is the next call's arguments: its "clip" is
   that of the next filter. */
#include <stdio.h>
#include <stdlib.h>
#include "VapourSynth4.h"

static const VSAPI *vs;

static VSMap *call(VSPlugin *plugin, const char *function, VSMap *args) {
    VSMap *answer = plugin ? vs->invoke(plugin, function, args) : NULL;
    vs->freeMap(args);
    if (answer && !vs->mapGetError(answer)) return answer;
    fprintf(stderr, "host: %s: %s\n", function, answer ? vs->mapGetError(answer) : "this plugin is not vdiff");
    exit(1);
}

int main(int argc, char **argv) {
    VSCore *core = (vs = getVapourSynthAPI(VAPOURSYNTH_API_VERSION)) ? vs->createCore(ccfDisableAutoLoading) : NULL;
    if (!core || argc != 2) return fputs(core ? "usage: host LIBVDIFF\n" : "host: VapourSynth is too old\n", stderr), 2;
    VSPlugin *std = vs->getPluginByID("com.vapoursynth.std", core);

    VSMap *map = vs->createMap();
    vs->mapSetData(map, "path", argv[1], -1, dtUtf8, maReplace);
    map = call(std, "LoadPlugin", map);
    vs->mapSetInt(map, "format", pfGray8, maReplace);
    vs->mapSetFloat(map, "color", 235, maReplace);
    map = call(std, "BlankClip", map);
    vs->mapSetData(map, "mode", "fade", -1, dtUtf8, maReplace);
    vs->mapSetFloat(map, "halflife", 2, maReplace);
    map = call(vs->getPluginByNamespace("vdiff", core), "Decay", map);

    VSNode *node = vs->mapGetNode(map, "clip", 0, NULL);
    char error[256];
    for (int n = 0; n < 10; n++) {
        const VSFrame *frame = vs->getFrame(n, node, error, sizeof error);
        if (!frame) return fprintf(stderr, "host: frame %d: %s\n", n, error), 1;
        printf("frame %d: %d\n", n, vs->getReadPtr(frame, 0)[0]);
        vs->freeFrame(frame);
    }
    vs->freeNode(node);
    vs->freeMap(map);
    vs->freeCore(core);
}
