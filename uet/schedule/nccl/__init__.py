"""What NCCL 2.19 chooses for a collective: algorithm, protocol, channels, threads, and the time it expects.

`tables` has the numbers, `model` latency and bandwidth of each choice, `choice` picks the fastest. The
graph (channels and bandwidth per channel) is an input here: NCCL searches it on the machine.
"""
