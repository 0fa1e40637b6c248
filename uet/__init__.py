"""uet: design, cost, simulate and try out Ultra Ethernet AI fabrics."""
