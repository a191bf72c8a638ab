[VapourSynth Manifest V1]
libvdiff
