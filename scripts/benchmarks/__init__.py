"""What `scripts/bench` measures: speed beside peers and the machine's limit, scaling, and quality.

settings    pictures and their formats, sizes, threads; clips of them
measuring   how long something takes; several things in turn, medians
machine     what the machine can do at most
peers       other programs
works       what is measured: each filter, what it must move and compute, and its peers
speed       the table
curves      time and memory over size, threads, steps, ...
report      tables, pictures and the figures that the documents quote, of a file of results
quality, inpaint, interpolation, repair, encoding, delogo    tables of their own
"""
