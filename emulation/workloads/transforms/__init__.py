"""What compression does to communication: sparse and quantized collectives, smaller messages of a schedule."""
