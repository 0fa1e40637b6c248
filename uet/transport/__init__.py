"""The Ultra Ethernet transport engine: sans-I/O, no clock, no carrier inside.

Packets, timers and application calls go in; packets and completions come out.
"""
