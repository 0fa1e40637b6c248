"""Collective algorithms, one per file, each a function (n_ranks, size_bytes, dtype) -> Schedule.

Where the data lies, for a vector of D bytes cut into n blocks of whole elements (`pieces.blocks`):

    allreduce, broadcast, reduce   DATA[0, D) in place
    reducescatter                  DATA[0, D) in; rank r's result is block r in place, the rest is undefined
    allgather                      DATA[0, D) out; rank r's input is block r in place
    alltoall                       DATA[0, D) in, block j for rank j; from D on the n blocks received, side by side
    gather                         DATA[0, D); rank r's input is block r in place, the root gets them all in place
    scatter                        DATA[0, D) at the root in; rank r's result is block r in place
    barrier                        no data; messages of one byte
"""
