"""Parts that fabrics are bought from: prices, watts, reach and failure rates, each with its source."""
