"""From a demand to the cheapest fabric of the known families, with a proof."""
