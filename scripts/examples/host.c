/* A host without Python: loads the plugin, diffuses a clip of grey noise-free frames and prints their mean.
   cc -I"$INCLUDE" host.c "$LIBRARY" -o host && ./host libvdiff.so */
#include <stdio.h>
#include "VapourSynth4.h"

int main(int argc, char **argv) {
    const VSAPI *vs = getVapourSynthAPI(VAPOURSYNTH_API_VERSION);
    VSCore *core = vs->createCore(ccfDisableAutoLoading);
    VSPlugin *std = vs->getPluginByID("com.vapoursynth.std", core);
    VSMap *args = vs->createMap(), *out;
    char error[256];

    vs->mapSetData(args, "path", argc > 1 ? argv[1] : "libvdiff.so", -1, dtUtf8, maReplace);
    vs->freeMap(vs->invoke(std, "LoadPlugin", args));
    vs->clearMap(args);
    out = vs->invoke(std, "BlankClip", args);                                  /* 240 frames, 640x480, RGB24 */
    vs->mapSetFloat(out, "time", 4, maReplace);
    VSMap *diffused = vs->invoke(vs->getPluginByNamespace("vdiff", core), "Diffuse", out);
    VSNode *node = vs->mapGetNode(diffused, "clip", 0, NULL);
    for (int n = 0; node && n < 3; n++) {
        const VSFrame *frame = vs->getFrame(n, node, error, sizeof error);
        printf("frame %d: %s\n", n, frame ? "diffused" : error);
        vs->freeFrame(frame);
    }
    vs->freeNode(node);
    vs->freeMap(diffused);
    vs->freeMap(out);
    vs->freeMap(args);
    vs->freeCore(core);
    return node == NULL;
}
