"""The memory carrier: engines exchange records and payload in virtual time, with faults."""
